"""A run over many tenants in, how much of it one call does out."""

import asyncio
from collections.abc import Sequence

from apex_memory.ports import Upkeep


class Turn:
    """Whether a call has taken long enough (seconds), by the loop's clock: the next call goes on."""

    def __init__(self, turn_s: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + turn_s

    def over(self) -> bool:
        return self._loop.time() > self._end


async def tenants_of(upkeep: Upkeep, tenant_id: str | None) -> Sequence[str]:
    """The tenants of a run, in the order in which it goes through them; None: all of them."""
    return sorted([tenant_id] if tenant_id else await upkeep.tenants())
