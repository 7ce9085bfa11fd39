"""The protocol in, the protocol without one of its rules out: each must be found out by the simulation."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

import pytest
from tests.simulation import machine_room
from tests.simulation.reader import Filter, visible_at
from tests.simulation.senders import TENANTS

from apex_memory.activities.maintain import MaintainActivities
from apex_memory.activities.write import WriteActivities
from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import ManifestMismatch
from apex_memory.domain.ledger import AllocationRequest
from apex_memory.domain.messages import Undoing
from apex_memory.domain.upkeep import Standing, WorkflowState
from apex_memory.pipeline.ledger import decide as deciding
from apex_memory.testing import MemoryLedger, MemoryStore, MemoryWorkflows
from apex_memory.workflows import saga
from apex_memory.workflows.write import Write

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Mutant:
    """One rule that is left out, and the promises of which one must be seen to break.

    `schedule` is the first that shows it; should the schedules change, all are tried again.
    """

    rule: str
    schedule: int
    breaks: tuple[str, ...]
    leave_out: Callable[[Patch], Filter | None]


# What decides whether a version may commit.


def _judging(change: Callable[[deciding.Preparing, deciding.Head], tuple[Any, Any]]) -> Any:
    def leave_out(patch: Patch) -> None:
        judge: Any = deciding._state_of  # pyright: ignore[reportPrivateUsage] - a mutant of it

        def careless(version: Any, head: Any, parent: Any) -> Any:
            return judge(*change(version, head), parent)

        patch.setattr(deciding, "_state_of", careless)

    return leave_out


def _tombstone(version: deciding.Preparing, head: deciding.Head) -> tuple[Any, Any]:
    return version, replace(head, tombstone=0, last_committed=head.committed)


def _first_round(version: deciding.Preparing, head: deciding.Head) -> tuple[Any, Any]:
    return replace(version, first=None), head


def _overtaken(version: deciding.Preparing, head: deciding.Head) -> tuple[Any, Any]:
    return version, replace(head, last_committed=0)


def _parent(version: deciding.Preparing, head: deciding.Head) -> tuple[Any, Any]:
    return replace(version, parent=None), head


def _no_history(patch: Patch) -> None:
    advance: Any = deciding._advance  # pyright: ignore[reportPrivateUsage] - a mutant of it

    def newest(version: deciding.Preparing, head: deciding.Head, decision: deciding.Decision) -> Any:
        known = head.as_of or version.as_of
        return advance(replace(version, as_of=max(known, version.as_of)), head, decision)

    patch.setattr(deciding, "_advance", newest)


# What a transaction of the ledger does.


def _commits_what_was_aborted(patch: Patch) -> None:
    commit = MemoryLedger.commit

    async def careless(self: MemoryLedger, tenant_id: str, batch_id: UUID, **verified: Any) -> Any:
        for ref in verified["verified"]:
            row = self.versions[tenant_id, ref]
            row.state = "preparing" if row.state == "aborted" else row.state
        return await commit(self, tenant_id, batch_id, **verified)

    patch.setattr(MemoryLedger, "commit", careless)


def _commits_what_was_not_verified(patch: Patch) -> None:
    commit = MemoryLedger.commit

    async def careless(self: MemoryLedger, tenant_id: str, batch_id: UUID, **_verified: Any) -> Any:
        every = frozenset(ref for tenant, ref in self.versions if tenant == tenant_id)
        return await commit(self, tenant_id, batch_id, verified=every)

    patch.setattr(MemoryLedger, "commit", careless)


def _announces_again(patch: Patch) -> None:
    commit = MemoryLedger.commit

    async def loud(self: MemoryLedger, tenant_id: str, batch_id: UUID, **verified: Any) -> Any:
        before = len(self.outbox)
        results = await commit(self, tenant_id, batch_id, **verified)
        if len(self.outbox) == before:
            self.outbox += [(tenant_id, r.ref, r.commit_seq) for r in results if r.commit_seq is not None]
        return results

    patch.setattr(MemoryLedger, "commit", loud)


def _aborts_what_is_committed(patch: Patch) -> None:
    abort = MemoryLedger.abort

    async def careless(self: MemoryLedger, tenant_id: str, batch_id: UUID, *, reason: str) -> Any:
        for row in self.versions.values():
            if row.batch_id == batch_id and row.state == "committed":
                row.reject(reason, at=0.0)
        return await abort(self, tenant_id, batch_id, reason=reason)

    patch.setattr(MemoryLedger, "abort", careless)


def _forgets_requests(patch: Patch) -> None:
    def nothing(_self: MemoryLedger, _tenant_id: str, _request: AllocationRequest) -> None:
        return

    patch.setattr(MemoryLedger, "_known", nothing)


def _forgets_what_was_unchanged(patch: Patch) -> None:
    known: Any = MemoryLedger._known  # pyright: ignore[reportPrivateUsage] - a mutant of it

    def forgetful(self: MemoryLedger, tenant_id: str, request: AllocationRequest) -> Any:
        found = known(self, tenant_id, request)
        return None if found and found.unchanged else found

    patch.setattr(MemoryLedger, "_known", forgetful)


def _unchanged_is_no_news(patch: Patch) -> None:
    allocate: Any = MemoryLedger._allocate  # pyright: ignore[reportPrivateUsage] - a mutant of it

    def deaf(self: MemoryLedger, tenant_id: str, batch_id: UUID, request: AllocationRequest) -> Any:
        heads: dict[Any, Any] = self._heads  # pyright: ignore[reportPrivateUsage] - a mutant of it
        before = heads.get((tenant_id, request.item_id))
        allocation = allocate(self, tenant_id, batch_id, request)
        if allocation.unchanged:
            heads[tenant_id, request.item_id] = before
        return allocation

    patch.setattr(MemoryLedger, "_allocate", deaf)


def _keeps_what_was_derived(patch: Patch) -> None:
    def nothing(*_: Any) -> None:
        return

    patch.setattr(MemoryLedger, "_end_derived", nothing)


def _collects_all_but_the_committed(patch: Patch) -> None:
    superseded = MemoryLedger.superseded

    async def greedy(self: MemoryLedger, tenant_id: str, *, older_than_s: float, limit: int) -> Any:
        rows = [row for (tenant, _), row in self.versions.items() if tenant == tenant_id]
        preparing = [row.ref for row in rows if row.state == "preparing"]
        return [*await superseded(self, tenant_id, older_than_s=older_than_s, limit=limit), *preparing]

    patch.setattr(MemoryLedger, "superseded", greedy)


def _deletes_what_is_preparing(patch: Patch) -> None:
    standing = MemoryLedger.standing

    async def hasty(
        self: MemoryLedger, tenant_id: str, versions: Sequence[VersionRef], *, window_s: float
    ) -> Any:
        found = dict(await standing(self, tenant_id, versions, window_s=window_s))
        for ref in versions:
            row = self.versions.get((tenant_id, ref))
            if row is not None and row.state == "preparing":
                found[ref] = Standing.UNKNOWN
        return found

    patch.setattr(MemoryLedger, "standing", hasty)


# What activities and workflows do.


def _no_verification(patch: Patch) -> None:
    async def trusting(*_: Any) -> None:
        return

    patch.setattr(WriteActivities, "_verify", trusting)


def _never_writes_anew(patch: Patch) -> None:
    async def stubborn(_self: Any, _write: Any, store: Any, _versions: Any) -> None:
        raise ManifestMismatch(store.name, "", 0, expected=0, found=0)

    patch.setattr(WriteActivities, "_write_anew", stubborn)


def _cleans_before_deciding(patch: Patch) -> None:
    decided: Any = MaintainActivities._decided  # pyright: ignore[reportPrivateUsage] - a mutant of it

    async def hasty(self: Any, undoing: Undoing) -> Any:
        preparing: Mapping[str, VersionRef] = await self._ledger.preparing(
            undoing.tenant_id, undoing.batch_id
        )
        for store in self._stores:
            await store.discard(undoing.tenant_id, list(preparing.values()))
        return await decided(self, undoing)

    patch.setattr(MaintainActivities, "_decided", hasty)


def _aborts_another_round(patch: Patch) -> None:
    decided: Any = MaintainActivities._decided  # pyright: ignore[reportPrivateUsage] - a mutant of it

    async def careless(self: Any, undoing: Undoing) -> Any:
        return await decided(self, undoing.model_copy(update={"decided": False}))

    patch.setattr(MaintainActivities, "_decided", careless)


def _registers_after_the_step(patch: Patch) -> None:
    run = Write.run

    async def late(self: Any) -> None:
        register, undos = self._register, list[Any]()
        self._register = undos.append
        await run(self)
        for undo in undos:
            register(undo)

    patch.setattr(Write, "run", late)


def _undoes_until_it_is_cancelled(patch: Patch) -> None:
    async def weak(work: Any) -> None:
        await work

    patch.setattr(saga, "_to_the_end", weak)


def _reaps_the_living(patch: Patch) -> None:
    async def over(_self: MemoryWorkflows, _workflow_id: str) -> WorkflowState:
        return WorkflowState.COMPLETED

    patch.setattr(MemoryWorkflows, "state", over)


def _no_grace(patch: Patch) -> None:
    patch.setattr(machine_room, "AGES", replace(machine_room.AGES, grace_s=0.0))


# What stores and readers do.


def _discards_the_item(patch: Patch) -> None:
    discard = MemoryStore.discard

    async def careless(self: MemoryStore, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        items = {ref.item_id for ref in refs}
        held = [write.ref for write in self.held(tenant_id) if write.ref.item_id in items]
        await discard(self, tenant_id, held)

    patch.setattr(MemoryStore, "discard", careless)


def _searches_all_tenants(patch: Patch) -> None:
    held = MemoryStore.held

    def everything(self: MemoryStore, _tenant_id: str) -> Any:
        return [write for tenant_id in TENANTS for write in held(self, tenant_id)]

    patch.setattr(MemoryStore, "held", everything)


def _validates_against_now(_patch: Patch) -> Filter:
    def now(ledger: MemoryLedger, tenant_id: str, _seq: int) -> Collection[VersionRef]:
        return visible_at(ledger, tenant_id, 1_000_000)

    return now


def _no_filter(_patch: Patch) -> Filter:
    def everything(ledger: MemoryLedger, tenant_id: str, _seq: int) -> Collection[VersionRef]:
        return [ref for tenant, ref in ledger.versions if tenant == tenant_id]

    return everything


MUTANTS: Final = (
    Mutant("a version below a tombstone never commits", 2, ("i5",), _judging(_tombstone)),
    Mutant("what a deletion has caught stays deleted", 21, ("i5",), _judging(_first_round)),
    Mutant("an overtaken version never commits", 0, ("i6",), _judging(_overtaken)),
    Mutant("a derived version commits only beside its parent", 13, ("i5",), _judging(_parent)),
    Mutant("an older time commits as history", 0, ("i3",), _no_history),
    Mutant("only what is preparing commits", 61, ("i4", "i8"), _commits_what_was_aborted),
    Mutant("only what was verified commits", 13, ("i4",), _commits_what_was_not_verified),
    Mutant("a commit announces once", 3, ("i9",), _announces_again),
    Mutant("an abort leaves alone what is committed", 15, ("i8", "i9", "i12"), _aborts_what_is_committed),
    Mutant("a request has one version", 0, ("i8", "i11"), _forgets_requests),
    Mutant("what was unchanged stays so", 44, ("i8",), _forgets_what_was_unchanged),
    Mutant("what is said again is news", 4, ("i3",), _unchanged_is_no_news),
    Mutant("what is derived ends with its parent", 40, ("i5",), _keeps_what_was_derived),
    Mutant("garbage is exactly what was superseded", 9, ("i4",), _collects_all_but_the_committed),
    Mutant("what is being prepared is kept", 1, ("i4",), _deletes_what_is_preparing),
    Mutant("every store is verified before a commit", 3, ("i4",), _no_verification),
    Mutant("what a store has lost is written anew", 3, ("i11",), _never_writes_anew),
    Mutant("an abort decides before it cleans", 147, ("i4",), _cleans_before_deciding),
    Mutant("a late clean-up aborts no other round", 44, ("i8",), _aborts_another_round),
    Mutant("an undo is registered before its step", 0, ("i11",), _registers_after_the_step),
    Mutant("no cancel interrupts an undo", 13, ("i11",), _undoes_until_it_is_cancelled),
    Mutant("nobody reaps a running workflow", 3, ("i8",), _reaps_the_living),
    Mutant("garbage is left alone for a grace", 0, ("i2", "i3", "i4"), _no_grace),
    Mutant("a discard names its version", 0, ("i4",), _discards_the_item),
    Mutant("a search names its tenant", 0, ("i10",), _searches_all_tenants),
    Mutant("a reader validates at its snapshot", 0, ("i2", "i3"), _validates_against_now),
    Mutant("a reader shows what the ledger says", 0, ("i2", "i3"), _no_filter),
)
