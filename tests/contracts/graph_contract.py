"""What every GraphSearcher keeps to; inherit, and give `graph`, which is also the Store, and `snapshot`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from tests.contracts.graph_dump import Dump, node_line, relationship_line
from tests.contracts.writes import NOON, SHIPMENT, VEHICLE, bare, fresh_tenant, message, write_of

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention, VersionedBundle
from apex_memory.ports import GraphSearcher, Store

DRIVER = EntityRef(type="person", key="Ana Ruiz")
CARRIER = EntityRef(type="company", key="OpenHaul")
CITY = EntityRef(type="city", key="Dallas")

Snapshot = Callable[[str], Awaitable[object]]
"""A tenant in, everything the graph keeps of it out, property for property, in a stable order."""


class Graph(Store, GraphSearcher, Protocol):
    """A store whose claims can be walked."""


def saying(*claims: Claim, external_id: str = "chain-1") -> Bundle:
    named = [claim.subject for claim in claims] + [claim.object for claim in claims if claim.object]
    mentions = tuple(Mention(entity=entity, name=entity.key) for entity in dict.fromkeys(named))
    return bare(external_id).model_copy(update={"claims": claims, "mentions": mentions})


def relation(subject: EntityRef, target: EntityRef, *, hours: int = 0) -> Claim:
    at = NOON + timedelta(hours=hours)
    return Claim(subject=subject, predicate="knows", object=target, fact="they are related", valid_from=at)


def statement(subject: EntityRef, value: str, *, hours: int = 0) -> Claim:
    at = NOON + timedelta(hours=hours)
    return Claim(subject=subject, predicate="is", value=value, fact=f"it is {value}", valid_from=at)


async def around(
    graph: Graph, write: VersionedBundle, *entities: EntityRef, steps: int = 1, limit: int = 50
) -> list[UUID]:
    seeds = [write.entity_id(entity) for entity in entities]
    return list(await graph.claims_around(write.tenant_id, seeds, steps=steps, limit=limit))


def graph_of_a_vehicle_in_a_city(write: VersionedBundle) -> Dump:
    """Spelled out: what it looks like is a promise to whoever reads the graph with a query of their own."""
    tenant, of_tenant = {"tenant_id": write.tenant_id}, f"tenant_id: '{write.tenant_id}'"
    version = {"item_id": str(write.ref.item_id), "version": 1}
    episode = node_line(["Episode"], tenant | version)
    vehicle, city = (
        f"(:Entity entity_id: '{write.entity_id(entity)}', key: '{key}', {of_tenant}, type: '{entity.type}')"
        for entity, key in ((VEHICLE, "openhaul 247"), (CITY, "dallas"))
    )
    (related, stated), (of_vehicle, of_city) = map(str, write.claim_ids), map(str, write.mention_ids)
    said = {**tenant, **version, "confidence": 1.0}
    knows = {"claim_id": related, "predicate": "knows", "fact": "they are related", "valid_from": NOON}
    moving = {"claim_id": stated, "predicate": "is", "value": "moving", "fact": "it is moving"}
    an_hour_later = {"valid_from": datetime(2025, 10, 19, 13, tzinfo=UTC)}
    mentions = {**tenant, **version}
    return Dump.of(
        [episode, vehicle, city],
        [
            relationship_line(vehicle, "RELATES_TO", {**said, **knows}, city),
            relationship_line(episode, "STATES", {**said, **moving, **an_hour_later}, vehicle),
            relationship_line(
                episode, "MENTIONS", {**mentions, "mention_id": of_vehicle, "name": "OpenHaul 247"}, vehicle
            ),
            relationship_line(
                episode, "MENTIONS", {**mentions, "mention_id": of_city, "name": "Dallas"}, city
            ),
        ],
    )


class GraphContract:
    async def test_one_step_reaches_what_is_said_of_the_entity_in_either_direction(
        self, graph: Graph
    ) -> None:
        outward, inward = relation(VEHICLE, CITY), relation(DRIVER, VEHICLE)
        stated, beyond = statement(VEHICLE, "moving"), statement(DRIVER, "awake")
        write = write_of(fresh_tenant(), saying(outward, inward, stated, beyond))
        await graph.prepare([write])

        assert set(await around(graph, write, VEHICLE)) == set(write.claim_ids[:3])

    async def test_two_steps_reach_what_is_said_of_the_neighbours_after_the_nearer_claims(
        self, graph: Graph
    ) -> None:
        chain = [relation(VEHICLE, DRIVER), relation(DRIVER, CARRIER, hours=1), statement(DRIVER, "awake")]
        beyond = [relation(CARRIER, CITY), statement(CARRIER, "solvent")]
        write = write_of(fresh_tenant(), saying(*chain, *beyond))
        await graph.prepare([write])

        found = await around(graph, write, VEHICLE, steps=2)

        assert found == list(write.claim_ids[:3])

    async def test_the_newest_of_equally_near_claims_come_first_and_the_limit_cuts_the_rest(
        self, graph: Graph
    ) -> None:
        claims = [statement(VEHICLE, "moving", hours=hours) for hours in range(5)]
        claims += [relation(VEHICLE, DRIVER, hours=5), statement(DRIVER, "awake", hours=9)]
        write = write_of(fresh_tenant(), saying(*claims))
        await graph.prepare([write])

        found = await around(graph, write, VEHICLE, steps=2, limit=3)

        assert found == [write.claim_ids[n] for n in (5, 4, 3)]

    async def test_claims_of_different_items_meet_at_the_entity_they_share(self, graph: Graph) -> None:
        tenant = fresh_tenant()
        told = write_of(tenant, message())
        tracked = write_of(tenant, saying(statement(VEHICLE, "moving"), external_id="gps-1"))
        await graph.prepare([told, tracked])

        found = await around(graph, told, EntityRef(type="message", key="msg-1"), SHIPMENT, steps=2)

        assert set(found) == {*told.claim_ids, *tracked.claim_ids}

    async def test_a_claim_between_two_of_the_entities_is_found_once(self, graph: Graph) -> None:
        write = write_of(
            fresh_tenant(), saying(relation(VEHICLE, DRIVER), relation(DRIVER, DRIVER, hours=-1))
        )
        await graph.prepare([write])

        assert await around(graph, write, VEHICLE, DRIVER, steps=2) == list(write.claim_ids)

    async def test_every_version_is_walked_until_it_is_discarded(self, graph: Graph) -> None:
        tenant = fresh_tenant()
        writes = [
            write_of(tenant, saying(statement(VEHICLE, "moving")), version=version) for version in (1, 2)
        ]
        await graph.prepare(writes)

        assert set(await around(graph, writes[0], VEHICLE)) == {*writes[0].claim_ids, *writes[1].claim_ids}
        await graph.discard(tenant, [writes[0].ref])

        assert await around(graph, writes[0], VEHICLE) == list(writes[1].claim_ids)

    async def test_two_tenants_with_the_same_entities_never_meet(self, graph: Graph) -> None:
        one, other = write_of(fresh_tenant(), message()), write_of(fresh_tenant(), message())
        await graph.prepare([one, other])

        assert set(await around(graph, one, VEHICLE, SHIPMENT, steps=2)) == set(one.claim_ids)
        stolen = [one.entity_id(VEHICLE), one.entity_id(SHIPMENT)]
        assert list(await graph.claims_around(other.tenant_id, stolen, steps=2, limit=50)) == []

    async def test_nothing_is_around_an_entity_that_nobody_speaks_of(self, graph: Graph) -> None:
        write = write_of(fresh_tenant(), message())

        assert await around(graph, write, VEHICLE, steps=2) == []
        assert await around(graph, write, steps=2) == []

    async def test_a_discarded_version_leaves_the_graph_as_it_was_before(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message())])
        before = await snapshot(tenant)
        update = write_of(tenant, message(shipment=EntityRef(type="shipment", key="SHIP-9")), version=2)
        newcomer = write_of(tenant, message("msg-2"))

        await graph.prepare([update, newcomer])
        assert await snapshot(tenant) != before
        await graph.discard(tenant, [newcomer.ref, update.ref])

        assert await snapshot(tenant) == before

    async def test_a_write_makes_these_nodes_and_relationships_with_these_properties(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        write = write_of(
            fresh_tenant(), saying(relation(VEHICLE, CITY), statement(VEHICLE, "moving", hours=1))
        )

        await graph.prepare([write])

        assert await snapshot(write.tenant_id) == graph_of_a_vehicle_in_a_city(write)

    async def test_content_that_was_replaced_leaves_nothing_behind(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        tenant = fresh_tenant()
        write = write_of(tenant, saying(relation(VEHICLE, DRIVER)))
        await graph.prepare([write])
        before = await snapshot(tenant)

        await graph.prepare([write_of(tenant, saying(relation(VEHICLE, CARRIER), statement(CITY, "hot")))])
        await graph.prepare([write])

        assert await snapshot(tenant) == before

    async def test_writers_and_discarders_at_once_leave_the_graph_as_it_was_before(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        tenant = fresh_tenant()
        before = await snapshot(tenant)

        async def come_and_go(writer: int) -> None:
            for n in range(4):
                write = write_of(tenant, message(f"msg-{writer}-{n}"))
                await graph.prepare([write])
                await graph.discard(tenant, [write.ref])

        await asyncio.gather(*(come_and_go(writer) for writer in range(8)))

        assert await snapshot(tenant) == before
