"""Bytes in, the same bytes out until their time is up: a Cache without a service."""

import time
from collections.abc import Callable, Mapping, Sequence


class MemoryCache:
    """Keeps the contract of `ports.Cache`. `clock` gives seconds, so that a test can move time."""

    name = "redis"

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[bytes, float]] = {}

    async def get(self, tenant_id: str, key: str) -> bytes | None:
        value, expires = self._kept.get((tenant_id, key), (None, 0.0))
        return value if self._clock() < expires else None

    async def put(self, tenant_id: str, key: str, value: bytes, *, ttl_s: int) -> bool:
        self._kept[tenant_id, key] = (value, self._clock() + ttl_s)
        return True

    async def put_all(self, tenant_id: str, values: Mapping[str, bytes], *, ttl_s: int) -> bool:
        return all([await self.put(tenant_id, key, value, ttl_s=ttl_s) for key, value in values.items()])

    async def keys(self, tenant_id: str) -> Sequence[str]:
        now = self._clock()
        return [key for (tenant, key), (_, end) in self._kept.items() if tenant == tenant_id and now < end]

    async def forget(self, tenant_id: str) -> None:
        self._kept = {place: kept for place, kept in self._kept.items() if place[0] != tenant_id}

    async def ping(self) -> None:
        return
