"""A tenant's store in, its differences from the ledger found and put right out; a bounded step at a time."""

import hashlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.ledger import VersionManifests
from apex_memory.domain.reconciling import Comparison, Differences, Stretch
from apex_memory.domain.upkeep import Standing, cursor_at, position_after
from apex_memory.ports import Canon, Projection, Rebuilds, Store, Upkeep

#: Versions a step, and points a step where the store pages by points.
PAGE: Final = 200
#: Parts in memory at a time: a passage with its vector takes 4 KB, at 1,536 dimensions 10 KB.
PARTS_AT_ONCE: Final = 2_000

log = structlog.get_logger()


class Comparing:
    """Steps of comparisons. `projections` are mended from the canon; what PostgreSQL lost is only counted.

    One of `sample_every` versions has its content compared in a run, not only the ids of its parts.
    """

    def __init__(
        self,
        *,
        upkeep: Upkeep,
        canon: Canon,
        rebuilds: Rebuilds,
        stores: Sequence[Store],
        projections: Sequence[Projection],
        zombie_window_s: float,
        sample_every: int,
    ) -> None:
        self._upkeep = upkeep
        self._canon = canon
        self._rebuilds = rebuilds
        self._stores = {store.name: store for store in stores}
        self._projections = {store.name: store for store in projections}
        self._window_s = zombie_window_s
        self._sample_every = sample_every

    def is_projection(self, store: str) -> bool:
        return store in self._projections

    async def ensure(self, store: str) -> None:
        """Its schema is there: it may have been lost whole."""
        if projection := self._projections.get(store):
            await projection.ensure()

    async def begin(self, tenant_id: str, store: str, *, comparison_id: UUID) -> Comparison:
        """Where a comparison starts."""
        return Comparison(
            tenant_id=tenant_id,
            store=store,
            comparison_id=comparison_id,
            earlier=tuple(await self._rebuilds.under_way(tenant_id, store)),
            started_at=datetime.now(UTC),
        )

    async def step(self, at: Comparison) -> Comparison:
        """A page further; the last step publishes the figures."""
        at = await (self._live if at.stretch is Stretch.LIVE else self._held)(at)
        if at.stretch is Stretch.DONE:
            await self._upkeep.publish(at.result(finished_at=datetime.now(UTC)))
            await self._rebuilds.end(at.tenant_id, at.store, [*at.earlier, at.comparison_id])
            report = log.warning if at.differences.found else log.info
            report("reconciled", tenant_id=at.tenant_id, store=at.store, **at.differences.model_dump())
        return at

    async def write_live(
        self, tenant_id: str, store: str, *, after: str | None
    ) -> tuple[Sequence[VersionRef], str | None]:
        """A page of live versions, written whatever the store holds; and where the next one begins."""
        page = await self._upkeep.live(tenant_id, after=position_after(after), limit=PAGE)
        written: list[VersionRef] = []
        async for writes in self._slices(tenant_id, page):
            await self._projections[store].prepare(writes)
            written += [write.ref for write in writes]
        await self._discard_what_ended(tenant_id, self._projections[store], written)
        return [one.ref for one in page], _next(page)

    async def _live(self, at: Comparison) -> Comparison:
        if at.after is None:
            await self.ensure(at.store)
        page = await self._upkeep.live(at.tenant_id, after=position_after(at.after), limit=PAGE)
        differences = at.differences + (await self._compared(at, page) if page else Differences())
        after = _next(page)
        stretch = Stretch.LIVE if after else Stretch.HELD
        return at.model_copy(update={"differences": differences, "after": after, "stretch": stretch})

    async def _held(self, at: Comparison) -> Comparison:
        store = self._stores[at.store]
        page = await store.versions(at.tenant_id, after=at.after, limit=PAGE)
        standing = await self._standing(at.tenant_id, page.refs, window_s=self._window_s)
        # It stays so: what is aborted or collected is never committed, and what a store holds was allocated.
        unknown = [ref for ref in page.refs if standing[ref] is Standing.UNKNOWN]
        await _discard(store, at.tenant_id, unknown)
        found = Differences(unknown=len(unknown), mended=len(unknown))
        stretch = Stretch.HELD if page.after else Stretch.DONE
        return at.model_copy(
            update={"differences": at.differences + found, "after": page.after, "stretch": stretch}
        )

    async def _compared(self, at: Comparison, page: Sequence[VersionManifests]) -> Differences:
        store = self._stores[at.store]
        # What was committed before the store was one of ours is expected of it by no manifest.
        expected = [one for one in page if at.store in one.manifests]
        held = await store.read_back(at.tenant_id, [one.ref for one in expected])
        differing = [one for one in expected if held[one.ref] != one.manifests[at.store]]
        altered = await self._altered(
            at, [one for one in expected if held[one.ref] == one.manifests[at.store]]
        )
        confirmed = await self._still_live(at.tenant_id, [*differing, *altered])
        missing = [one for one in confirmed if not held[one.ref].count and one.manifests[at.store].count]
        mended = await self._mend(at, confirmed, lost=bool(missing))
        return Differences(
            checked=len(page), missing=len(missing), torn=len(confirmed) - len(missing), mended=mended
        )

    async def _altered(self, at: Comparison, whole: Sequence[VersionManifests]) -> Sequence[VersionManifests]:
        """Of a sample, what holds the right parts with other content."""
        projection = self._projections.get(at.store)
        if projection is None:
            return ()
        sample = [one for one in whole if _drawn(at.comparison_id, one.ref, every=self._sample_every)]
        altered: set[VersionRef] = set()
        async for writes in self._slices(at.tenant_id, sample):
            altered.update(await projection.altered(writes))
        return [one for one in sample if one.ref in altered]

    async def _still_live(
        self, tenant_id: str, suspects: Sequence[VersionManifests]
    ) -> Sequence[VersionManifests]:
        """Those that were not superseded or deleted while we looked: only then may a store let go of them."""
        wanted = {one.ref: one for one in suspects}
        if not wanted:
            return ()
        *_, last = ordered = sorted(wanted, key=_order)
        after = ordered[0].model_copy(update={"version": ordered[0].version - 1})
        confirmed: list[VersionManifests] = []
        while _order(after) < _order(last):
            page = await self._upkeep.live(tenant_id, after=after, limit=PAGE)
            confirmed += [one for one in page if one.ref in wanted]
            after = page[-1].ref if len(page) == PAGE else last
        return confirmed

    async def _mend(self, at: Comparison, confirmed: Sequence[VersionManifests], *, lost: bool) -> int:
        projection = self._projections.get(at.store)
        if projection is None or not confirmed:
            return 0
        if lost:
            # From here to the end of this comparison readers are told; what they do not find may yet come.
            await self._rebuilds.begin(at.store, [at.tenant_id], rebuild_id=at.comparison_id)
        mended = 0
        async for writes in self._slices(at.tenant_id, confirmed):
            await projection.prepare(writes)
            refs = [write.ref for write in writes]
            held = await projection.read_back(at.tenant_id, refs)
            mended += sum(held[write.ref] == Manifest.of(projection.parts(write)) for write in writes)
            await self._discard_what_ended(at.tenant_id, projection, refs)
        return mended

    async def _discard_what_ended(self, tenant_id: str, store: Store, written: Sequence[VersionRef]) -> None:
        """What was collected or forgotten while we wrote it: nobody else would look for it so soon."""
        standing = await self._standing(tenant_id, written, window_s=0)
        await _discard(store, tenant_id, [ref for ref in written if standing[ref] is Standing.UNKNOWN])

    async def _standing(
        self, tenant_id: str, refs: Sequence[VersionRef], *, window_s: float
    ) -> Mapping[VersionRef, Standing]:
        return await self._upkeep.standing(tenant_id, refs, window_s=window_s) if refs else {}

    async def _slices(
        self, tenant_id: str, versions: Sequence[VersionManifests]
    ) -> AsyncGenerator[Sequence[VersionedBundle]]:
        """What the canon holds of the versions, no more at a time than fits into memory."""
        for some in _bounded(versions):
            yield await self._canon.bundles(tenant_id, [one.ref for one in some])


def _bounded(versions: Sequence[VersionManifests]) -> Iterator[Sequence[VersionManifests]]:
    some: list[VersionManifests] = []
    parts = 0
    for one in versions:
        more = max((manifest.count for manifest in one.manifests.values()), default=0)
        if some and parts + more > PARTS_AT_ONCE:
            yield some
            some, parts = [], 0
        some.append(one)
        parts += more
    if some:
        yield some


async def _discard(store: Store, tenant_id: str, refs: Sequence[VersionRef]) -> None:
    if refs:
        await store.discard(tenant_id, refs)


def _next(page: Sequence[VersionManifests]) -> str | None:
    return cursor_at(page[-1].ref) if len(page) == PAGE else None


def _drawn(seed: UUID, ref: VersionRef, *, every: int) -> bool:
    digest = hashlib.blake2b(f"{seed}:{ref.item_id}:{ref.version}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) % every == 0


def _order(ref: VersionRef) -> tuple[bytes, int]:
    return ref.item_id.bytes, ref.version
