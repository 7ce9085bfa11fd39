"""What every Archive keeps to in its items, and in what is said of a thing under its several names.

Inherit, and give `world`.

Its other methods are held to their promises by `tests/unit/retrieval` and `tests/integration/workflows`.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Protocol
from uuid import UUID

from tests.contracts.writes import NOON, bare, fresh_tenant

from apex_memory.domain import ids
from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.ports import Archive

NUMBER, CUSTOM, ORDER, OTHER = (
    EntityRef(type="shipment", key=key) for key in ("1000324868", "M290969", "PO-7", "M1")
)
PREDICATES: Final = ("has_status", "located_at")


class Remembering(Protocol):
    """An archive, and the ways in which something comes to be in it."""

    @property
    def archive(self) -> Archive: ...

    async def remember(self, tenant_id: str, bundle: Bundle) -> int:
        """Commit it; the seq at which it did."""
        ...

    async def begin(self, tenant_id: str, bundle: Bundle) -> None:
        """Prepare it, and commit nothing."""
        ...


def said(external_id: str, *claims: Claim, hours: int = 0, source: str = "turvo") -> Bundle:
    """An item that says so, so many hours after noon."""
    named = [claim.subject for claim in claims] + [claim.object for claim in claims if claim.object]
    mentions = tuple(Mention(entity=entity, name=entity.key) for entity in dict.fromkeys(named))
    at = NOON + timedelta(hours=hours)
    return bare(external_id).model_copy(
        update={"source": source, "claims": claims, "mentions": mentions, "as_of": at}
    )


def same(one: EntityRef, other: EntityRef) -> Claim:
    return Claim(subject=one, predicate="same_as", object=other, fact=f"{one.key} is {other.key}")


def status(of: EntityRef, word: str, *, hours: int = 0, predicate: str = "has_status") -> Claim:
    since = NOON + timedelta(hours=hours)
    return Claim(subject=of, predicate=predicate, value=word, fact=f"it is {word}", valid_from=since)


def named(tenant: str, *entities: EntityRef) -> list[UUID]:
    return [ids.entity_id(tenant, entity.type, entity.key) for entity in entities]


async def same_as(
    world: Remembering, tenant: str, *entities: EntityRef, seq: int, limit: int = 8
) -> Sequence[str]:
    found = await world.archive.same_as(tenant, named(tenant, *entities), seq=seq, limit=limit)
    return sorted(view.name for view in found)


async def values(
    world: Remembering, tenant: str, *entities: EntityRef, seq: int, limit: int = 8
) -> list[str | None]:
    found = await world.archive.said_of(tenant, named(tenant, *entities), PREDICATES, seq=seq, limit=limit)
    return [fact.value for fact in found]


class ArchiveContract:
    async def test_those_items_are_given_that_were_visible(self, world: Remembering) -> None:
        tenant, other = fresh_tenant(), fresh_tenant()
        await world.begin(tenant, said("draft", status(OTHER, "late")))
        seq = await world.remember(tenant, said("load-1", status(NUMBER, "open")))
        await world.remember(tenant, said("load-2", status(NUMBER, "closed")))
        asked = [ids.item_id(tenant, "turvo", name) for name in ("load-1", "load-2", "draft", "nothing")]

        early, late = [await world.archive.items(tenant, asked, seq=at) for at in (seq, seq + 1)]

        assert [item.external_id for item in early] == ["load-1"]
        assert sorted(item.external_id for item in late) == ["load-1", "load-2"]
        assert [item.claims for item in late] == [1, 1]
        assert not await world.archive.items(other, asked, seq=seq + 1)
        assert not await world.archive.items(tenant, [], seq=seq + 1)

    async def test_what_is_said_to_be_the_same_is_found_from_either_end(self, world: Remembering) -> None:
        tenant = fresh_tenant()
        seq = await world.remember(tenant, said("a", same(CUSTOM, NUMBER)))

        assert await same_as(world, tenant, CUSTOM, seq=seq) == [NUMBER.key]
        assert await same_as(world, tenant, NUMBER, seq=seq) == [CUSTOM.key]

    async def test_a_circle_and_a_thing_that_is_itself_lead_nowhere_new(self, world: Remembering) -> None:
        tenant = fresh_tenant()
        circle = said("a", same(CUSTOM, NUMBER), same(NUMBER, ORDER), same(ORDER, CUSTOM), same(OTHER, OTHER))
        seq = await world.remember(tenant, circle)

        assert await same_as(world, tenant, CUSTOM, seq=seq) == sorted([NUMBER.key, ORDER.key])
        assert await same_as(world, tenant, CUSTOM, NUMBER, seq=seq) == [ORDER.key]
        assert await same_as(world, tenant, OTHER, seq=seq) == []

    async def test_what_is_said_often_is_found_once_and_no_more_than_are_wanted(
        self, world: Remembering
    ) -> None:
        tenant = fresh_tenant()
        items = [said(f"item-{n}", same(CUSTOM, NUMBER), same(ORDER, CUSTOM)) for n in range(3)]
        [*_, seq] = [await world.remember(tenant, item) for item in items]

        assert await same_as(world, tenant, CUSTOM, seq=seq) == sorted([NUMBER.key, ORDER.key])
        assert len(await same_as(world, tenant, CUSTOM, seq=seq, limit=1)) == 1

    async def test_only_what_was_visible_joins_and_tells(self, world: Remembering) -> None:
        tenant = fresh_tenant()
        first = await world.remember(tenant, said("a", same(CUSTOM, NUMBER), status(CUSTOM, "covered")))
        second = await world.remember(tenant, said("a", status(CUSTOM, "delivered", hours=1), hours=1))
        await world.begin(tenant, said("b", same(CUSTOM, ORDER), status(CUSTOM, "lost", hours=2)))

        assert await same_as(world, tenant, CUSTOM, seq=first) == [NUMBER.key]
        assert await same_as(world, tenant, CUSTOM, seq=second) == []
        assert await values(world, tenant, CUSTOM, seq=first) == ["covered"]
        assert await values(world, tenant, CUSTOM, seq=second) == ["delivered"]

    async def test_another_tenants_claims_join_and_tell_nothing(self, world: Remembering) -> None:
        ours, theirs = fresh_tenant(), fresh_tenant()
        seq = await world.remember(ours, said("a", status(CUSTOM, "covered")))
        bundle = said("a", same(CUSTOM, NUMBER), status(CUSTOM, "lost", hours=1), status(NUMBER, "lost"))
        await world.remember(theirs, bundle)

        assert await same_as(world, ours, CUSTOM, seq=seq) == []
        assert await values(world, ours, CUSTOM, NUMBER, seq=seq) == ["covered"]
        ids_of_theirs = named(theirs, CUSTOM, NUMBER)
        assert await world.archive.said_of(ours, ids_of_theirs, PREDICATES, seq=seq, limit=8) == []
        assert await world.archive.same_as(ours, ids_of_theirs, seq=seq, limit=8) == []

    async def test_what_is_said_under_several_names_is_one_past_the_newest_first(
        self, world: Remembering
    ) -> None:
        tenant = fresh_tenant()
        await world.remember(tenant, said("late", status(NUMBER, "en_route", hours=2)))
        await world.remember(
            tenant, said("whole", status(CUSTOM, "covered"), status(CUSTOM, "gone", hours=3))
        )
        at_place = status(CUSTOM, "Omaha", hours=1, predicate="located_at")
        seq = await world.remember(tenant, said("place", at_place, status(OTHER, "another's", hours=9)))

        told = ["gone", "en_route", "Omaha", "covered"]
        assert await values(world, tenant, CUSTOM, NUMBER, seq=seq) == told
        assert await values(world, tenant, NUMBER, CUSTOM, seq=seq) == told
        assert await values(world, tenant, CUSTOM, NUMBER, seq=seq, limit=1) == ["gone", "Omaha"]

    async def test_what_began_at_one_moment_is_in_the_same_order_whoever_came_first(
        self, world: Remembering
    ) -> None:
        one, other = said("x", status(CUSTOM, "b")), said("y", status(NUMBER, "a"), source="frontapp")
        for bundles in ((one, other), (other, one)):
            tenant = fresh_tenant()
            [*_, seq] = [await world.remember(tenant, bundle) for bundle in bundles]

            assert await values(world, tenant, CUSTOM, NUMBER, seq=seq) == ["a", "b"]
            assert await values(world, tenant, CUSTOM, NUMBER, seq=seq, limit=1) == ["a"]
