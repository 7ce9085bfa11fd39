"""A store and a plan in, a store out that fails as planned: before, after or half-way through a call."""

import random
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.upkeep import VersionPage
from apex_memory.failpoints import half_of_each
from apex_memory.ports import Store


class Fault(StrEnum):
    """How one call goes wrong; the caller sees StoreUnavailable for each but NONE."""

    NONE = "none"
    #: Nothing happened.
    BEFORE = "before"
    #: All of it happened, and the answer was lost.
    AFTER = "after"
    #: Some of it happened.
    PARTLY = "partly"


Plan = Callable[[str], Fault]
"""The name of one of a Store's operations in, such as `prepare`, what becomes of it out."""


def always(fault: Fault) -> Plan:
    """Every operation goes the same way."""
    return lambda _operation: fault


def scripted(operation: str, *faults: Fault) -> Plan:
    """The first calls of one operation go as listed; everything else goes well."""
    pending = list(faults)

    def plan(called: str) -> Fault:
        return pending.pop(0) if called == operation and pending else Fault.NONE

    return plan


def seeded(seed: int, *, rate: float) -> Plan:
    """Each call fails with probability `rate`, in a way that the seed repeats."""
    chance = random.Random(seed)  # noqa: S311 - a repeatable test wants a seeded generator

    def plan(_operation: str) -> Fault:
        failing = chance.random() < rate
        return chance.choice([Fault.BEFORE, Fault.AFTER, Fault.PARTLY]) if failing else Fault.NONE

    return plan


class Misbehaving:
    """Keeps the contract of `ports.Store` as far as its plan lets it."""

    def __init__(self, store: Store, plan: Plan) -> None:
        self.name = store.name
        self._store = store
        self._plan = plan

    async def ensure(self) -> None:
        await self._store.ensure()

    def parts(self, write: VersionedBundle) -> Sequence[UUID]:
        return self._store.parts(write)

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        fault = self._begin("prepare")
        await self._store.prepare(half_of_each(writes) if fault is Fault.PARTLY else writes)
        self._end(fault)

    async def read_back(self, tenant_id: str, refs: Sequence[VersionRef]) -> Mapping[VersionRef, Manifest]:
        fault = self._begin("read_back")
        held = await self._store.read_back(tenant_id, refs)
        self._end(fault)
        return held

    async def discard(self, tenant_id: str, refs: Sequence[VersionRef]) -> None:
        fault = self._begin("discard")
        await self._store.discard(tenant_id, refs[: len(refs) // 2] if fault is Fault.PARTLY else refs)
        self._end(fault)

    async def versions(self, tenant_id: str, *, after: str | None, limit: int) -> VersionPage:
        fault = self._begin("versions")
        page = await self._store.versions(tenant_id, after=after, limit=limit)
        self._end(fault)
        return page

    async def versions_of(self, tenant_id: str, items: Sequence[UUID]) -> Sequence[VersionRef]:
        fault = self._begin("versions_of")
        found = await self._store.versions_of(tenant_id, items)
        self._end(fault)
        return found

    async def ping(self) -> None:
        fault = self._begin("ping")
        await self._store.ping()
        self._end(fault)

    def _begin(self, operation: str) -> Fault:
        fault = self._plan(operation)
        if fault is Fault.BEFORE:
            raise StoreUnavailable(self.name, "refused, as planned")
        return fault

    def _end(self, fault: Fault) -> None:
        if fault is not Fault.NONE:
            raise StoreUnavailable(self.name, f"failed {fault}, as planned")
