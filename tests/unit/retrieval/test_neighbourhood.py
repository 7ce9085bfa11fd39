"""An entity in, the facts that hang together with it over what is visible out."""

import pytest
from tests.unit.retrieval.faults import refused
from tests.unit.retrieval.world import World, saying

from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.errors import ItemNotFound, QueryRejected, StoreUnavailable
from apex_memory.pipeline.retrieval.facts import MARGIN

TRUCK, DRIVER, CARRIER, CITY = (
    EntityRef(type="thing", key=key) for key in ("truck", "driver", "carrier", "city")
)
DRIVES = saying("drives", links=((DRIVER, "drives", TRUCK),))
EMPLOYS = saying("employs", links=((CARRIER, "employs", DRIVER),))
SITS = saying("sits", links=((CARRIER, "sits in", CITY),))


async def predicates(world: World, entity: EntityRef, *, limit: int = 50) -> list[str]:
    [write, *_] = [row.write for row in world.archive.rows.values()]
    around = await world.retrieval().neighbourhood("acme", write.entity_id(entity), limit=limit)
    return [fact.predicate for fact in around.facts]


async def test_facts_within_two_steps_are_given_the_nearest_first() -> None:
    world = World()
    for bundle in (SITS, EMPLOYS, DRIVES):
        await world.remember("acme", bundle)

    assert await predicates(world, TRUCK) == ["drives", "employs"]
    assert await predicates(world, TRUCK, limit=1) == ["drives"]
    assert set(await predicates(world, CARRIER)) == {"employs", "sits in", "drives"}


async def test_what_hangs_on_an_invisible_claim_alone_is_not_around_the_entity() -> None:
    world = World()
    seen = saying("seen", mentions=(TRUCK,))
    await world.remember("acme", seen)
    await world.prepare("acme", DRIVES)
    await world.remember("acme", EMPLOYS)

    assert await predicates(world, TRUCK) == []
    assert await predicates(world, DRIVER) == ["employs"]


async def test_superseded_versions_around_an_entity_do_not_crowd_out_its_visible_facts() -> None:
    world = World()
    newest = await world.remember("acme", DRIVES)
    for _ in range(3 * MARGIN):
        await world.prepare("acme", EMPLOYS)
    await world.remember("acme", EMPLOYS)

    assert newest.ref.version == 1
    assert sorted(await predicates(world, DRIVER, limit=2)) == ["drives", "employs"]


async def test_an_entity_that_nothing_visible_speaks_of_is_not_there() -> None:
    world = World()
    prepared = await world.prepare("acme", DRIVES)
    others = await world.remember("globex", DRIVES)

    for entity_id in (prepared.entity_id(TRUCK), others.entity_id(TRUCK)):
        with pytest.raises(ItemNotFound):
            await world.retrieval().neighbourhood("acme", entity_id)


async def test_a_limit_out_of_bounds_is_refused() -> None:
    world = World()
    write = await world.remember("acme", DRIVES)

    with pytest.raises(QueryRejected):
        await world.retrieval().neighbourhood("acme", write.entity_id(TRUCK), limit=0)


async def test_without_the_graph_there_is_no_neighbourhood() -> None:
    world = World()
    write = await world.remember("acme", DRIVES)
    world.graph.claims_around = refused

    with pytest.raises(StoreUnavailable, match="neo4j is unavailable"):
        await world.retrieval().neighbourhood("acme", write.entity_id(TRUCK))
