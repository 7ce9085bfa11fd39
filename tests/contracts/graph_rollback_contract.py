"""A graph write that fails and is compensated leaves nothing; inherit, and give `graph` and `snapshot`.

What counts as "as before" is every node, relationship and property of the tenant: facts that stay expired and
summaries that stay changed after their episode was removed are what a graph library does, and what this rules
out. A compensation is a `discard` of exactly the versions that the failed write had been given.
"""

import asyncio
from collections.abc import Sequence

import pytest
from tests.contracts.graph_contract import CARRIER, CITY, DRIVER, Graph, Snapshot, relation, saying, statement
from tests.contracts.writes import SHIPMENT, VEHICLE, bare, fresh_tenant, message, write_of

from apex_memory.domain.bundles import EntityRef, VersionedBundle
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.testing import Fault, Misbehaving, always, scripted

#: More than one transaction of the real store.
MANY = 120

every_way_to_fail = pytest.mark.parametrize("fault", [Fault.BEFORE, Fault.PARTLY, Fault.AFTER])


async def fail(graph: Graph, writes: Sequence[VersionedBundle], fault: Fault) -> None:
    with pytest.raises(StoreUnavailable):
        await Misbehaving(graph, always(fault)).prepare(writes)


async def compensate(graph: Graph, writes: Sequence[VersionedBundle]) -> None:
    for tenant_id in {write.tenant_id for write in writes}:
        await graph.discard(tenant_id, [write.ref for write in writes if write.tenant_id == tenant_id])


class GraphRollbackContract:
    @every_way_to_fail
    async def test_a_new_item_that_fails_leaves_the_graph_as_before(
        self, graph: Graph, snapshot: Snapshot, fault: Fault
    ) -> None:
        """The first version of an item, failed before, half-way or after it was applied, leaves no trace."""
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message("msg-1"))])
        before = await snapshot(tenant)
        newcomer = write_of(tenant, message("msg-2"))

        await fail(graph, [newcomer], fault)
        assert (await snapshot(tenant) == before) is (fault is Fault.BEFORE)
        await compensate(graph, [newcomer])

        assert await snapshot(tenant) == before

    @every_way_to_fail
    async def test_an_update_that_fails_leaves_the_version_before_it_property_for_property(
        self, graph: Graph, snapshot: Snapshot, fault: Fault
    ) -> None:
        """A failed version that contradicts the one before leaves all of its facts as they were."""
        tenant = fresh_tenant()
        await graph.prepare(
            [write_of(tenant, saying(statement(VEHICLE, "moving"), relation(VEHICLE, DRIVER)))]
        )
        before = await snapshot(tenant)
        contradicted = saying(statement(VEHICLE, "parked", hours=1), relation(VEHICLE, CARRIER, hours=1))
        update = write_of(tenant, contradicted, version=2)

        await fail(graph, [update], fault)
        await compensate(graph, [update])

        assert await snapshot(tenant) == before

    async def test_an_entity_that_the_failed_write_shared_keeps_every_property(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """An entity that a failed write names in another spelling, by another name, is left as it was."""
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message("msg-1"))])
        before = await snapshot(tenant)
        shouted = EntityRef(type=SHIPMENT.type, key=f"  {SHIPMENT.key.lower()} ")
        newcomer = write_of(tenant, message("msg-2", shipment=shouted))
        assert newcomer.entity_id(shouted) == newcomer.entity_id(SHIPMENT)

        await fail(graph, [newcomer], Fault.AFTER)
        await compensate(graph, [newcomer])

        assert await snapshot(tenant) == before

    async def test_an_entity_that_only_the_failed_write_made_is_gone(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """An entity goes with the failed write that alone spoke of it; one that others speak of stays."""
        tenant = fresh_tenant()
        empty = await snapshot(tenant)
        kept = write_of(tenant, saying(relation(VEHICLE, DRIVER), external_id="kept"))
        failed = write_of(tenant, saying(relation(VEHICLE, CITY), external_id="failed"))
        await graph.prepare([kept])
        before = await snapshot(tenant)

        await fail(graph, [failed], Fault.AFTER)
        await compensate(graph, [failed])
        assert await snapshot(tenant) == before
        await compensate(graph, [kept])

        assert await snapshot(tenant) == empty

    async def test_a_zombie_that_writes_after_the_compensation_is_swept_without_a_trace(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """A writer that comes back from the dead after its version was discarded changes no other version,
        and the sweep that follows leaves the graph as before."""
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message())])
        zombie = write_of(tenant, message(shipment=CITY), version=2)
        await fail(graph, [zombie], Fault.PARTLY)
        await compensate(graph, [zombie])
        await graph.prepare([write_of(tenant, message(shipment=CARRIER), version=3)])
        before = await snapshot(tenant)

        await graph.prepare([zombie])
        assert await snapshot(tenant) != before
        await compensate(graph, [zombie])

        assert await snapshot(tenant) == before

    @every_way_to_fail
    async def test_a_batch_of_several_items_is_taken_back_whole(
        self, graph: Graph, snapshot: Snapshot, fault: Fault
    ) -> None:
        """New items, updates and items that say nothing, failed in one batch, leave the graph as before."""
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message("msg-1")), write_of(tenant, message("msg-2"))])
        before = await snapshot(tenant)
        batch = [
            write_of(tenant, message("msg-1", shipment=CITY), version=2),
            write_of(tenant, bare("msg-2"), version=2),
            write_of(tenant, message("msg-3", shipment=CARRIER)),
            write_of(tenant, bare("msg-4")),
        ]

        await fail(graph, batch, fault)
        await compensate(graph, batch)

        assert await snapshot(tenant) == before

    async def test_a_large_batch_that_stops_half_way_is_taken_back_whole(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """Of a batch of many transactions the first were committed when the store went away: none is left."""
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message("msg-0"))])
        before = await snapshot(tenant)
        batch = [write_of(tenant, message(f"msg-{n}"), version=2) for n in range(MANY)]

        await graph.prepare(batch[: MANY // 2])
        await compensate(graph, batch)

        assert await snapshot(tenant) == before

    async def test_a_compensation_that_fails_half_way_ends_as_before_when_it_is_tried_again(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """A discard that stops half-way, and one whose answer is lost, are repeated until nothing is left."""
        tenant = fresh_tenant()
        await graph.prepare([write_of(tenant, message("msg-1"))])
        before = await snapshot(tenant)
        batch = [write_of(tenant, message(f"msg-{n}"), version=2) for n in range(1, 5)]
        await fail(graph, batch, Fault.AFTER)
        failing = Misbehaving(graph, scripted("discard", Fault.BEFORE, Fault.PARTLY, Fault.AFTER))

        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                await failing.discard(tenant, [write.ref for write in batch])
        await failing.discard(tenant, [write.ref for write in batch])

        assert await snapshot(tenant) == before

    async def test_the_same_item_failing_in_one_tenant_leaves_the_others_graph_as_it_is(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """Two tenants speak of the same things; a failed write and its compensation stay in their own."""
        tenant, other = fresh_tenant(), fresh_tenant()
        await graph.prepare([write_of(tenant, message()), write_of(other, message())])
        ours, theirs = await snapshot(tenant), await snapshot(other)
        failed = write_of(tenant, message(shipment=CITY), version=2)

        await fail(graph, [failed], Fault.PARTLY)
        assert await snapshot(other) == theirs
        await compensate(graph, [failed])
        # Named to the wrong tenant, a version is not there.
        await graph.discard(other, [failed.ref, write_of(tenant, message()).ref])

        assert await snapshot(tenant) == ours
        assert await snapshot(other) == theirs

    async def test_of_two_items_that_say_the_same_either_can_fail_without_taking_from_the_other(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """Facts that two items confirm are each item's own: taking back one leaves the other's untouched."""
        tenant = fresh_tenant()
        one, other = (
            write_of(tenant, saying(relation(VEHICLE, CITY), statement(CITY, "hot"), external_id=name))
            for name in ("one", "other")
        )
        alone: dict[str, object] = {}
        for write in (one, other):
            await graph.prepare([write])
            alone[write.bundle.external_id] = await snapshot(tenant)
            await compensate(graph, [write])

        for failed, kept in ((one, other), (other, one)):
            await graph.prepare([one, other])
            await compensate(graph, [failed])
            assert await snapshot(tenant) == alone[kept.bundle.external_id]

    async def test_a_write_that_succeeds_at_last_looks_like_one_that_never_failed(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """Tried again after every kind of failure, a write leaves the graph that one smooth write leaves."""
        tenant = fresh_tenant()
        batch = [write_of(tenant, message(f"msg-{n}")) for n in range(3)]
        await graph.prepare(batch)
        smooth = await snapshot(tenant)
        await compensate(graph, batch)

        for fault in (Fault.BEFORE, Fault.PARTLY, Fault.AFTER):
            await fail(graph, batch, fault)
        await graph.prepare(batch)

        assert await snapshot(tenant) == smooth

    async def test_a_compensation_beside_writers_of_the_same_entities_takes_only_its_own(
        self, graph: Graph, snapshot: Snapshot
    ) -> None:
        """While others write about the same entities, a compensation leaves exactly what they wrote."""
        tenant = fresh_tenant()
        others = [write_of(tenant, message(f"other-{n}")) for n in range(4)]
        failed = [write_of(tenant, message(f"failed-{n}")) for n in range(4)]
        await graph.prepare(others)
        without_the_failed = await snapshot(tenant)
        await compensate(graph, others)
        await fail(graph, failed, Fault.AFTER)

        await asyncio.gather(
            *(graph.prepare([write]) for write in others),
            *(compensate(graph, [write]) for write in failed),
        )

        assert await snapshot(tenant) == without_the_failed
