"""A tenant in, what a reader sees of it at one snapshot out: read from every store, then validated."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Final

from tests.simulation.invariants import Read
from tests.simulation.ports import POSTGRES
from tests.simulation.weather import Network

from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.testing import MemoryLedger, MemoryStore

#: No read takes longer (seconds). Garbage is left alone for more than twice as long.
READ_S: Final = 5.0

Filter = Callable[[MemoryLedger, str, int], Collection[VersionRef]]
"""The ledger, a tenant and a snapshot in, what a reader may show out."""


def visible_at(ledger: MemoryLedger, tenant_id: str, seq: int) -> Collection[VersionRef]:
    """As `pipeline/stores/archive.py` decides it."""
    return [
        row.ref for (tenant, _), row in ledger.versions.items() if tenant == tenant_id and row.visible_at(seq)
    ]


async def read(
    tenant_id: str,
    *,
    ledger: MemoryLedger,
    stores: Collection[MemoryStore],
    network: Network,
    random: Random,
    visible: Filter,
) -> Read | None:
    """None: no answer in time. A store that does not answer is left out, as `missing`."""
    try:
        async with asyncio.timeout(READ_S):
            seq = await network.read(POSTGRES, lambda: ledger.snapshot(tenant_id))
            found: dict[str, Mapping[VersionRef, VersionedBundle]] = {}
            for store in random.sample(list(stores), len(stores)):
                held = await _search(store, tenant_id, network)
                if held is not None:
                    found[store.name] = held

            async def validate() -> Collection[VersionRef]:
                return visible(ledger, tenant_id, seq)

            shown = await network.read(POSTGRES, validate)
    except (TimeoutError, StoreUnavailable):
        return None
    return Read(tenant_id=tenant_id, seq=seq, visible=frozenset(shown), found=found)


async def _search(
    store: MemoryStore, tenant_id: str, network: Network
) -> Mapping[VersionRef, VersionedBundle] | None:
    async def search() -> Mapping[VersionRef, VersionedBundle]:
        return {write.ref: write for write in store.held(tenant_id)}

    try:
        return await network.read(store.name, search)
    except StoreUnavailable:
        return None
