"""What every Store keeps to; inherit, and give the fixtures `store` and `unreachable`."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.contracts.writes import LATE, bare, fresh_tenant, message, write_of

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.ports import Store
from apex_memory.testing import Fault, Misbehaving, always

NOTHING = Manifest.of(())


async def assert_holds_exactly(store: Store, *writes: VersionedBundle) -> None:
    for write in writes:
        assert await manifest_of(store, write) == Manifest.of(store.parts(write))


async def assert_holds_nothing_of(store: Store, *writes: VersionedBundle) -> None:
    for write in writes:
        assert await manifest_of(store, write) == NOTHING


async def manifest_of(store: Store, write: VersionedBundle) -> Manifest:
    return (await store.read_back(write.tenant_id, [write.ref]))[write.ref]


def refs_of(writes: Sequence[VersionedBundle]) -> Sequence[VersionRef]:
    return [write.ref for write in writes]


async def versions_of(store: Store, tenant_id: str, *, limit: int) -> list[VersionRef]:
    """Every page, one after the other."""
    page = await store.versions(tenant_id, after=None, limit=limit)
    found = [*page.refs]
    while page.after is not None:
        page = await store.versions(tenant_id, after=page.after, limit=limit)
        found += page.refs
    return found


async def prepare_partly(store: Store, writes: Sequence[VersionedBundle]) -> None:
    with pytest.raises(StoreUnavailable):
        await Misbehaving(store, always(Fault.PARTLY)).prepare(writes)


class StoreContract:
    async def test_what_was_prepared_is_read_back(self, store: Store) -> None:
        write = write_of(fresh_tenant(), message())

        await store.prepare([write])

        assert store.parts(write)
        await assert_holds_exactly(store, write)

    async def test_preparing_twice_is_preparing_once(self, store: Store) -> None:
        write = write_of(fresh_tenant(), message())

        await store.prepare([write])
        await store.prepare([write])

        await assert_holds_exactly(store, write)

    async def test_preparing_other_content_under_the_same_version_replaces_it(self, store: Store) -> None:
        tenant = fresh_tenant()
        long, short = write_of(tenant, message(texts=(LATE,) * 3)), write_of(tenant, message(texts=(LATE,)))

        await store.prepare([long])
        await store.prepare([short])

        await assert_holds_exactly(store, short)

    async def test_a_partial_write_is_seen_and_mended_by_preparing_again(self, store: Store) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(f"msg-{n}")) for n in range(3)]

        await prepare_partly(store, writes)

        for write in writes:
            assert await manifest_of(store, write) != Manifest.of(store.parts(write))
        await store.prepare(writes)
        await assert_holds_exactly(store, *writes)

    async def test_a_version_that_was_never_prepared_reads_back_as_nothing(self, store: Store) -> None:
        write = write_of(fresh_tenant(), message())

        await assert_holds_nothing_of(store, write)

    async def test_an_item_that_says_nothing_may_be_prepared_and_discarded(self, store: Store) -> None:
        write = write_of(fresh_tenant(), bare())

        await store.prepare([write])
        await assert_holds_exactly(store, write)
        await store.discard(write.tenant_id, [write.ref])

        await assert_holds_nothing_of(store, write)

    async def test_no_writes_and_no_versions_are_fine(self, store: Store) -> None:
        tenant = fresh_tenant()

        await store.prepare([])
        await store.discard(tenant, [])

        assert await store.read_back(tenant, []) == {}

    async def test_discarding_removes_exactly_that_version(self, store: Store) -> None:
        tenant, other = fresh_tenant(), fresh_tenant()
        discarded = write_of(tenant, message())
        same_item = write_of(tenant, message(), version=2)
        other_item = write_of(tenant, message("msg-2"))
        other_tenant = replace(discarded, tenant_id=other)
        await store.prepare([discarded, same_item, other_item, other_tenant])

        await store.discard(tenant, [discarded.ref])

        await assert_holds_nothing_of(store, discarded)
        await assert_holds_exactly(store, same_item, other_item, other_tenant)

    async def test_discarding_what_is_not_there_is_fine(self, store: Store) -> None:
        write = write_of(fresh_tenant(), message())
        await store.prepare([write])

        await store.discard(write.tenant_id, [write.ref])
        await store.discard(write.tenant_id, [write.ref])

        await assert_holds_nothing_of(store, write)

    async def test_a_late_prepare_of_a_discarded_version_touches_no_other(self, store: Store) -> None:
        tenant = fresh_tenant()
        zombie, current = write_of(tenant, message()), write_of(tenant, message(texts=(LATE,)), version=2)
        await store.prepare([zombie])
        await store.discard(tenant, [zombie.ref])
        await store.prepare([current])

        await store.prepare([zombie])
        await assert_holds_exactly(store, zombie, current)
        await store.discard(tenant, [zombie.ref])

        await assert_holds_nothing_of(store, zombie)
        await assert_holds_exactly(store, current)

    async def test_versions_of_several_items_are_told_apart(self, store: Store) -> None:
        tenant = fresh_tenant()
        crossed = [
            write_of(tenant, message(name, texts=(LATE,) * version), version=version)
            for name in ("msg-1", "msg-2")
            for version in (1, 2)
        ]
        await store.prepare(crossed)

        wanted = [crossed[0], crossed[3]]
        held = await store.read_back(tenant, [write.ref for write in wanted])

        assert held == {write.ref: Manifest.of(store.parts(write)) for write in wanted}

    async def test_two_tenants_with_the_same_external_ids_never_meet(self, store: Store) -> None:
        one, other = write_of(fresh_tenant(), message()), write_of(fresh_tenant(), message())

        await store.prepare([one])

        await assert_holds_nothing_of(store, other, replace(one, tenant_id=other.tenant_id))
        await store.prepare([other])
        await store.discard(one.tenant_id, [one.ref])
        await assert_holds_exactly(store, other)

    async def test_a_large_batch_is_kept_whole(self, store: Store) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(f"msg-{n}")) for n in range(120)]
        writes.append(write_of(tenant, message("long", texts=tuple(f"{LATE} {n}" for n in range(600)))))

        await store.prepare(writes)
        held = await store.read_back(tenant, [write.ref for write in writes])

        assert held == {write.ref: Manifest.of(store.parts(write)) for write in writes}
        await store.discard(tenant, [write.ref for write in writes])
        held = await store.read_back(tenant, [write.ref for write in writes])
        assert list(held.values()) == [NOTHING] * len(writes)

    async def test_sixteen_writers_that_share_entities_all_succeed(self, store: Store) -> None:
        tenant = fresh_tenant()
        batches = [[write_of(tenant, message(f"msg-{w}-{n}")) for n in range(3)] for w in range(16)]

        await asyncio.gather(*(store.prepare(batch) for batch in batches))

        await assert_holds_exactly(store, *(write for batch in batches for write in batch))

    async def test_writers_of_the_same_version_at_once_leave_it_whole(self, store: Store) -> None:
        tenant = fresh_tenant()
        mentioning = message("msg-1").model_copy(update={"claims": ()})
        write, hollow = write_of(tenant, mentioning), write_of(tenant, bare("msg-1"))

        for before in ([], [hollow], [write]):
            await store.prepare(before)
            await asyncio.gather(*(store.prepare([write]) for _ in range(8)))
            await assert_holds_exactly(store, write)

    @pytest.mark.parametrize("limit", [1, 2, 7, 1000])
    async def test_paging_finds_every_version_of_the_tenant_and_no_other(
        self, store: Store, limit: int
    ) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(f"msg-{n}"), version=v) for n in range(5) for v in (1, 2, 10)]
        await store.prepare([*writes, write_of(fresh_tenant(), message("msg-0"))])

        found = await versions_of(store, tenant, limit=limit)

        assert set(found) == set(refs_of(writes))

    async def test_nothing_held_is_no_version(self, store: Store) -> None:
        assert await versions_of(store, fresh_tenant(), limit=10) == []

    async def test_paging_goes_on_where_what_it_had_reached_was_deleted(self, store: Store) -> None:
        tenant = fresh_tenant()
        writes = [write_of(tenant, message(f"msg-{n}")) for n in range(6)]
        await store.prepare(writes)

        found: list[VersionRef] = []
        after = None
        while True:
            page = await store.versions(tenant, after=after, limit=3)
            found += page.refs
            await store.discard(tenant, page.refs)
            if (after := page.after) is None:
                break

        assert set(found) == set(refs_of(writes))
        assert await versions_of(store, tenant, limit=10) == []

    async def test_a_torn_version_is_found_too(self, store: Store) -> None:
        tenant = fresh_tenant()
        write = write_of(tenant, message())
        await prepare_partly(store, [write])

        assert await versions_of(store, tenant, limit=10) == [write.ref]

    async def test_every_version_held_of_an_item_is_named_and_none_of_another(self, store: Store) -> None:
        tenant, other = fresh_tenant(), fresh_tenant()
        torn, whole = write_of(tenant, message(), version=3), write_of(tenant, message(), version=12)
        second = write_of(tenant, message("msg-2"))
        await prepare_partly(store, [torn])
        await store.prepare([whole, second, write_of(tenant, message("msg-3")), write_of(other, message())])

        items = [torn.ref.item_id, second.ref.item_id]

        held = await store.versions_of(tenant, items)
        assert len(held) == 3
        assert all(write.ref in held for write in (torn, whole, second))
        assert await store.versions_of(other, items) == []
        assert await store.versions_of(tenant, []) == []

    async def test_an_answering_store_can_be_pinged(self, store: Store) -> None:
        await store.ping()

    async def test_an_unreachable_store_says_so(self, unreachable: Store) -> None:
        write = write_of(fresh_tenant(), message())
        calls = [
            unreachable.ping(),
            unreachable.prepare([write]),
            unreachable.read_back(write.tenant_id, [write.ref]),
            unreachable.discard(write.tenant_id, [write.ref]),
            unreachable.versions(write.tenant_id, after=None, limit=1),
            unreachable.versions_of(write.tenant_id, [write.ref.item_id]),
        ]

        answers = await asyncio.gather(*calls, return_exceptions=True)

        assert [answer for answer in answers if not isinstance(answer, StoreUnavailable)] == []
