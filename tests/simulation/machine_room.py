"""Simulated servers in, the activities of a worker process over them out: the product's own."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID

from tests.simulation.invariants import Facts
from tests.simulation.ports import DistantInbox, DistantLedger, DistantStore
from tests.simulation.reader import READ_S
from tests.simulation.senders import EMBEDDER_ID, Sent, staged_files
from tests.simulation.weather import ZOMBIE_S, Network
from tests.simulation.workers import Activities

from apex_memory.activities.comparing import Comparing
from apex_memory.activities.maintain import MaintainActivities
from apex_memory.activities.reconcile import ReconcileActivities
from apex_memory.activities.stage import StageActivities, staged_batch
from apex_memory.activities.upkeep import UpkeepActivities, UpkeepAges
from apex_memory.activities.write import WriteActivities
from apex_memory.domain.bundles import Bundle, VersionedBundle, VersionRef
from apex_memory.domain.documents import ParsedDocument, Passage
from apex_memory.domain.messages import IngestBatch, StagedBatch
from apex_memory.domain.staged import BUNDLES, VECTORS
from apex_memory.ports import Inbox, Parser
from apex_memory.testing import MemoryLeases, MemoryStaging, MemoryStore, MemoryWorkflows
from apex_memory.workflows.ingest import Preparation

GRACE_S: Final = 4 * READ_S
WINDOW_S: Final = 2 * ZOMBIE_S
AGES: Final = UpkeepAges(reap_s=30.0, sweep_s=10.0, grace_s=GRACE_S, staging_s=600.0)
UPKEEP: Final = ("reap_batches_activity", "sweep_leftovers_activity", "collect_garbage_activity")
RECONCILE: Final = "reconcile_stores_activity"
#: How bundles come to be is no part of the protocol: they are staged as they were sent.
PREPARATION: Final = Preparation(stage="stage_bundles_activity", read=(), embed="embed_nothing_activity")


class MachineRoom:
    """What the workers share: servers, and the network between. `activities` is a process that starts."""

    def __init__(self, facts: Facts, network: Network, workflows: MemoryWorkflows) -> None:
        self.ledger = DistantLedger(facts.ledger, network, acknowledged=facts.acknowledged)
        self._facts = facts
        self._workflows = workflows
        self._inbox = cast("Inbox", DistantInbox(facts.ledger, network))
        self._stores = [DistantStore(store, network) for store in facts.stores]
        self._staging = MemoryStaging(clock=facts.now)
        self._leases = MemoryLeases(clock=facts.now)
        self._bundles: dict[UUID, Sequence[Sent]] = {}

    def take_in(self, batch: IngestBatch, events: Sequence[Sent]) -> None:
        self._bundles[batch.batch_id] = events

    def activities(self) -> Activities:
        write = WriteActivities(
            ledger=self.ledger, staging=self._staging, stores=self._stores, embedder_id=EMBEDDER_ID
        )
        maintain = MaintainActivities(ledger=self.ledger, stores=self._stores)
        stage = StageActivities(
            inbox=self._inbox,
            staging=self._staging,
            parser_for=_no_parser,
            chunker=_NoChunker(),
            document_bundle=_no_document,
            sources={},
        )
        upkeep = UpkeepActivities(
            ledger=self.ledger,
            upkeep=self.ledger,
            inbox=self._inbox,
            stores=self._stores,
            staging=self._staging,
            workflows=self._workflows,
            leases=self._leases,
            ages=AGES,
        )
        names = [store.name for store in self._stores]
        comparing = Comparing(
            upkeep=self.ledger,
            canon=_Canon(self._facts.stores[0]),
            rebuilds=_Rebuilds(),
            stores=self._stores,
            projections=self._stores[1:],
            zombie_window_s=WINDOW_S,
            sample_every=1,
        )
        reconcile = ReconcileActivities(comparing=comparing, upkeep=self.ledger, stores=names)
        prepares = zip(names, write.prepare_activities(), strict=True)
        discards = zip(names, maintain.discard_activities(), strict=True)
        return {
            "stage_bundles_activity": self._stage,
            "embed_nothing_activity": self._embed,
            "allocate_versions_activity": write.allocate_versions_activity,
            **{f"prepare_{name}_activity": prepare for name, prepare in prepares},
            "commit_versions_activity": write.commit_versions_activity,
            "abort_versions_activity": maintain.abort_versions_activity,
            **{f"discard_{name}_activity": discard for name, discard in discards},
            "confirm_discarded_activity": maintain.confirm_discarded_activity,
            "cleanup_staging_activity": stage.cleanup_staging_activity,
            "mark_staging_failed_activity": stage.mark_staging_failed_activity,
            "reap_batches_activity": upkeep.reap_batches_activity,
            "sweep_leftovers_activity": upkeep.sweep_leftovers_activity,
            "collect_garbage_activity": upkeep.collect_garbage_activity,
            RECONCILE: reconcile.reconcile_stores_activity,
        }

    async def _stage(self, batch: IngestBatch) -> StagedBatch:
        staged = staged_batch(batch, items=batch.size)
        bundles, vectors = staged_files(self._bundles[batch.batch_id])
        await self._staging.write(f"{staged.key}/{BUNDLES}", bundles)
        await self._staging.write(f"{staged.key}/{VECTORS}", vectors)
        return staged

    async def _embed(self, staged: StagedBatch) -> None:
        """The vectors were staged with the bundles."""


class _Canon:
    """`Canon` over what the first store holds."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def bundles(self, tenant_id: str, versions: Sequence[VersionRef]) -> Sequence[VersionedBundle]:
        held: Mapping[VersionRef, VersionedBundle] = {w.ref: w for w in self._store.held(tenant_id)}
        return [held[ref] for ref in versions if ref in held]


class _Rebuilds:
    """`Rebuilds` that nobody looks at: a reader here knows which stores were wiped."""

    async def begin(self, store: str, tenants: Sequence[str], *, rebuild_id: UUID) -> int:
        del store, tenants, rebuild_id
        return 0

    async def under_way(self, tenant_id: str, store: str) -> Sequence[UUID]:
        del tenant_id, store
        return ()

    async def end(self, tenant_id: str, store: str, rebuild_ids: Sequence[UUID]) -> None:
        del tenant_id, store, rebuild_ids


class _NoChunker:
    def chunk(self, document: ParsedDocument) -> Sequence[Passage]:
        raise NotImplementedError(document.title)


def _no_parser(media_type: str, name: str) -> Parser:
    raise NotImplementedError(media_type, name)


def _no_document(
    document: ParsedDocument, passages: Sequence[Passage], *, source: str, external_id: str, as_of: datetime
) -> Bundle:
    raise NotImplementedError(document.title, passages, source, external_id, as_of)
