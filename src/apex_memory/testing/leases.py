"""A tenant and the name of some work in, whether it is ours to do out: Leases without a service."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager


class MemoryLeases:
    """Keeps the contract of `ports.Leases`. `clock` gives seconds, so that a test can move time."""

    name = "redis"

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held: dict[tuple[str, str], tuple[object, float]] = {}

    @asynccontextmanager
    async def hold(self, tenant_id: str, name: str, *, ttl_s: float) -> AsyncGenerator[bool, None]:
        token, now = object(), self._clock()
        _, lapses = self._held.get((tenant_id, name), (None, now))
        if now < lapses <= now + ttl_s:
            yield False
            return
        self._held[tenant_id, name] = (token, now + ttl_s)
        try:
            yield True
        finally:
            if self._held.get((tenant_id, name), (None, 0.0))[0] is token:
                del self._held[tenant_id, name]
