"""How a thing stands, under all of its names: the newest word counts, in whatever order the words came."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.archive_contract import CUSTOM, NUMBER, ORDER, said, same, status
from tests.unit.retrieval.faults import answered_then, refused
from tests.unit.retrieval.world import World
from tests.unit.sources.payloads import code, mapped

from apex_memory.domain import ids
from apex_memory.domain.answers import Neighbourhood
from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.retrieval.standing import MAX_ALIASES

START = datetime(2026, 11, 18, tzinfo=UTC)
STATUSES = ("2102", "2104", "2105", "2106", "2107")


async def seen(world: World, tenant: str, entity: EntityRef, *, limit: int = 50) -> Neighbourhood:
    return await world.retrieval().neighbourhood(
        tenant, ids.entity_id(tenant, entity.type, entity.key), limit=limit
    )


def now(around: Neighbourhood) -> dict[str, str | None]:
    return {fact.predicate: fact.value for fact in around.current}


def past(around: Neighbourhood) -> list[tuple[str, str | None, datetime, str]]:
    """The timeline without the ids, which tell which version came first."""
    return [(fact.predicate, fact.value, fact.valid_from, fact.subject.key) for fact in around.timeline]


def keys(around: Neighbourhood) -> set[str]:
    return {alias.key for alias in around.aliases}


async def test_a_status_told_of_one_name_is_that_of_the_other() -> None:
    world = World()
    await world.remember("acme", said("whole", same(CUSTOM, NUMBER), status(CUSTOM, "covered")))
    await world.remember("acme", said("event", status(NUMBER, "en_route", hours=2)))

    for name in (CUSTOM, NUMBER):
        around = await seen(world, "acme", name)
        assert now(around) == {"has_status": "en_route"}
        assert [fact.value for fact in around.timeline] == ["en_route", "covered"]
        assert keys(around) == {CUSTOM.key, NUMBER.key} - {name.key}


async def test_a_word_that_comes_late_is_past() -> None:
    world = World()
    await world.remember("acme", said("new", status(CUSTOM, "delivered", hours=5)))
    await world.remember("acme", said("old", status(CUSTOM, "covered", hours=1)))

    around = await seen(world, "acme", CUSTOM)

    assert now(around) == {"has_status": "delivered"}
    assert [fact.value for fact in around.timeline] == ["delivered", "covered"]


async def test_each_functional_predicate_has_its_own_newest_word_and_its_own_past() -> None:
    world = World()
    for hour in range(3):
        place = status(CUSTOM, f"mile {hour}", hours=hour, predicate="located_at")
        await world.remember("acme", said(f"at-{hour}", place))
    named = status(CUSTOM, "a customer", hours=9, predicate="has_customer")
    await world.remember("acme", said("whole", status(CUSTOM, "covered"), named))

    around = await seen(world, "acme", CUSTOM, limit=2)

    assert now(around) == {"has_status": "covered", "located_at": "mile 2"}
    assert [fact.value for fact in around.timeline] == ["mile 2", "mile 1", "covered"]


async def test_another_tenants_names_and_statuses_are_nobody_elses() -> None:
    world = World()
    await world.remember("acme", said("whole", status(CUSTOM, "covered")))
    await world.remember("globex", said("whole", same(CUSTOM, NUMBER), status(NUMBER, "lost", hours=9)))

    ours, theirs = await seen(world, "acme", CUSTOM), await seen(world, "globex", CUSTOM)

    assert (now(ours), ours.aliases) == ({"has_status": "covered"}, ())
    assert (now(theirs), keys(theirs)) == ({"has_status": "lost"}, {NUMBER.key})


async def test_names_that_lead_round_in_a_circle_are_named_once() -> None:
    world = World()
    circle = (same(CUSTOM, NUMBER), same(NUMBER, ORDER), same(ORDER, CUSTOM), same(CUSTOM, CUSTOM))
    await world.remember("acme", said("circle", *circle, status(ORDER, "held")))

    around = await seen(world, "acme", CUSTOM)

    assert sorted(alias.key for alias in around.aliases) == sorted([NUMBER.key, ORDER.key])
    assert now(around) == {"has_status": "held"}


async def test_names_are_followed_two_steps_and_no_further() -> None:
    world = World()
    chain = [EntityRef(type="shipment", key=f"name-{n}") for n in range(5)]
    links = [same(one, other) for one, other in pairwise(chain)]
    told = [status(name, f"said of {name.key}", hours=n) for n, name in enumerate(chain)]
    await world.remember("acme", said("chain", *links, *told))

    around = await seen(world, "acme", chain[0])

    assert [alias.key for alias in around.aliases] == ["name-1", "name-2"]
    assert now(around) == {"has_status": "said of name-2"}


@pytest.mark.parametrize("by", ["its own claims", "an alias's claims"])
async def test_of_more_names_than_are_followed_the_same_few_are_followed_always(by: str) -> None:
    names = [EntityRef(type="shipment", key=f"name-{n}") for n in range(3 * MAX_ALIASES)]
    hub = CUSTOM if by == "its own claims" else NUMBER
    followed: list[set[str]] = []
    for order in (names, names[::-1]):
        world = World()
        await world.remember("acme", said("first", same(CUSTOM, NUMBER)))
        for name in order:
            await world.remember("acme", said(name.key, same(hub, name)))
        around = await seen(world, "acme", CUSTOM)
        followed.append(keys(around))

    assert len(followed[0]) == MAX_ALIASES
    assert followed[0] == followed[1]
    assert CUSTOM.key not in followed[0]


@pytest.mark.parametrize("method", ["entity", "same_as", "said_of"])
async def test_a_commit_in_the_middle_changes_neither_names_nor_status(method: str) -> None:
    world = World()
    await world.remember("acme", said("whole", same(CUSTOM, NUMBER), status(CUSTOM, "covered")))
    update = said("whole", same(CUSTOM, ORDER), status(CUSTOM, "lost", hours=3), hours=3)
    after = await world.prepare("acme", update)
    asked = getattr(world.archive, method)
    setattr(world.archive, method, answered_then(asked, lambda: world.commit(after)))

    during, then = await seen(world, "acme", CUSTOM), await seen(world, "acme", CUSTOM)

    assert (keys(during), now(during)) == ({NUMBER.key}, {"has_status": "covered"})
    assert (keys(then), now(then)) == ({ORDER.key}, {"has_status": "lost"})


@pytest.mark.parametrize("method", ["same_as", "said_of"])
async def test_without_postgresql_nothing_is_said_of_how_it_stands(method: str) -> None:
    world = World()
    await world.remember("acme", said("whole", same(CUSTOM, NUMBER)))
    setattr(world.archive, method, refused)

    with pytest.raises(StoreUnavailable, match="postgres is unavailable"):
        await seen(world, "acme", CUSTOM)


def stamp(minute: int) -> str:
    return (START + timedelta(minutes=minute)).isoformat()


def event(minute: int, key: str, *, whole: bool) -> dict[str, Any]:
    """A webhook of Turvo; `whole`: with the shipment as its API told it then, without a history."""
    number = int(NUMBER.key)
    thin = {
        "tenantId": "1203",
        "eventName": "SHIPMENT_STATUS_UPDATE",
        "eventTime": stamp(minute),
        "eventPayload": {"id": number, "status": code(key)},
    }
    details = {"id": number, "customId": CUSTOM.key, "status": code(key), "updated": stamp(minute)}
    return {**thin, "details": details} if whole else thin


def events() -> st.SearchStrategy[list[dict[str, Any]]]:
    """One of a shipment that is told whole at first, and some at other times."""
    row = st.tuples(st.integers(1, 60), st.sampled_from(STATUSES), st.booleans())
    rows = st.lists(row, max_size=6, unique_by=lambda one: one[0])
    return rows.map(lambda some: [event(m, k, whole=w) for m, k, w in ((0, "2102", True), *some)])


async def arrived(tenant: str, records: Sequence[dict[str, Any]]) -> list[Neighbourhood]:
    world = World()
    # A shipment of the same number at somebody else's.
    await world.remember("globex", mapped("turvo", event(99, "2113", whole=True)))
    for record in records:
        await world.remember(tenant, mapped("turvo", record))
    return [await seen(world, tenant, name) for name in (CUSTOM, NUMBER)]


@settings(max_examples=60, deadline=None)
@given(records=events(), data=st.data())
async def test_whatever_the_order_of_arrival_status_and_past_are_the_same(
    records: list[dict[str, Any]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(records))

    in_time, in_disorder = await arrived("acme", records), await arrived("acme", shuffled)

    newest = max(records, key=lambda record: record["eventTime"])
    [status_now] = [
        claim.value for claim in mapped("turvo", newest).claims if claim.predicate == "has_status"
    ]
    for around in (*in_time, *in_disorder):
        assert now(around) == {"has_status": status_now}
        assert past(around) == past(in_time[0])
        assert past(around) == sorted(past(around), key=lambda fact: fact[2], reverse=True)
        assert len(around.aliases) == 1
