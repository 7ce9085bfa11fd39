"""Items in, a ledger and stores that hold them out, to be spoilt and compared; no service."""

from collections.abc import Sequence
from uuid import UUID, uuid4

from tests.contracts.ledger_contract import commit_all
from tests.contracts.writes import EMBEDDER, write_of

from apex_memory.activities.comparing import Comparing
from apex_memory.domain.bundles import Bundle, Manifest, VersionedBundle
from apex_memory.domain.ledger import AllocationRequest, VersionManifests
from apex_memory.domain.reconciling import Comparison, Stretch
from apex_memory.domain.upkeep import Reconciliation
from apex_memory.ports import Upkeep
from apex_memory.testing import MemoryCanon, MemoryLedger, MemoryRebuilds, MemoryStore, MemoryVectors

WINDOW_S = 600.0
TENANT = "acme"


class World:
    """Two stores, of which `vectors` can be rebuilt. Time passes as a test says."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ledger = MemoryLedger(clock=lambda: self.now)
        self.postgres = MemoryStore("postgres")
        self.vectors = MemoryVectors(EMBEDDER.id)
        self.rebuilds = MemoryRebuilds()

    def comparing(self, *, upkeep: Upkeep | None = None, vectors: MemoryVectors | None = None) -> Comparing:
        store = vectors or self.vectors
        return Comparing(
            upkeep=upkeep or self.ledger,
            canon=MemoryCanon(self.postgres),
            rebuilds=self.rebuilds,
            stores=[self.postgres, store],
            projections=[store],
            zombie_window_s=WINDOW_S,
            sample_every=1,
        )

    async def prepare(self, bundle: Bundle, *, tenant: str = TENANT) -> tuple[UUID, VersionedBundle]:
        """Its batch, and what was prepared of it in every store."""
        batch = uuid4()
        request = AllocationRequest(
            request_id=str(batch),
            event_id=batch,
            item_id=write_of(tenant, bundle).ref.item_id,
            content_hash=str(batch),
            **bundle.model_dump(include={"source", "external_id", "kind", "title", "as_of"}),
        )
        [allocation] = await self.ledger.allocate(tenant, batch, [request])
        write = write_of(tenant, bundle, version=allocation.ref.version)
        parts = {s.name: Manifest.of(s.parts(write)) for s in (self.postgres, self.vectors)}
        await self.ledger.expect(tenant, [VersionManifests(ref=write.ref, manifests=parts)])
        for store in (self.postgres, self.vectors):
            await store.prepare([write])
        return batch, write

    async def remember(self, *bundles: Bundle, tenant: str = TENANT) -> Sequence[VersionedBundle]:
        """The same, committed one after the other."""
        written: list[VersionedBundle] = []
        for bundle in bundles:
            batch, write = await self.prepare(bundle, tenant=tenant)
            await commit_all(self.ledger, tenant, batch)
            written.append(write)
        return written

    async def compare(
        self, store: str = "qdrant", *, tenant: str = TENANT, comparing: Comparing | None = None
    ) -> Reconciliation:
        """From the beginning to the end; what was published of it."""
        await to_the_end(comparing or self.comparing(), store, tenant=tenant)
        [published] = [one for one in await self.ledger.published(tenant) if one.store == store]
        return published


async def to_the_end(comparing: Comparing, store: str, *, tenant: str = TENANT) -> Comparison:
    at = await comparing.begin(tenant, store, comparison_id=uuid4())
    while at.stretch is not Stretch.DONE:
        at = await comparing.step(at)
    return at


def figures(one: Reconciliation) -> tuple[int, int, int, int, int]:
    """Checked, missing, torn, unknown, mended."""
    return one.checked, one.missing, one.torn, one.unknown, one.mended
