"""Bytes under a tenant's key in, the same bytes out while Redis has them; an outage is a miss."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from apex_memory.domain.errors import StoreUnavailable

NAME: Final = "redis"
# A cache that is slower than what it saves is worth nothing.
TIMEOUT_S: Final = 0.2
# An outage shows as one line, not as one a request.
QUIET_S: Final = 10.0

_log = structlog.get_logger()


def open_redis(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client that has not connected yet; close it with `aclose`."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its options are untyped
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
    )


class RedisCache:
    """Implements `ports.Cache`. `clock` gives seconds, for the pause between two lines of an outage."""

    name = NAME

    def __init__(self, client: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._quiet_until = float("-inf")

    async def get(self, tenant_id: str, key: str) -> bytes | None:
        try:
            value = await self._client.get(_key(tenant_id, key))
        except RedisError as exc:
            self._missed(exc)
            return None
        # Never text: the client does not decode.
        return value if isinstance(value, bytes) else None

    async def put(self, tenant_id: str, key: str, value: bytes, *, ttl_s: int) -> bool:
        try:
            return bool(await self._client.set(_key(tenant_id, key), value, ex=ttl_s))
        except RedisError as exc:
            self._missed(exc)
            return False

    async def ping(self) -> None:
        try:
            await self._client.ping()  # pyright: ignore[reportUnknownMemberType] - as above
        except RedisError as exc:
            raise StoreUnavailable(NAME, str(exc)) from exc

    def _missed(self, exc: RedisError) -> None:
        if self._clock() >= self._quiet_until:
            self._quiet_until = self._clock() + QUIET_S
            _log.warning("cache.unavailable", reason=str(exc))


def _key(tenant_id: str, key: str) -> str:
    # Quoted, a tenant has no colon of its own: "a" with "b:c" and "a:b" with "c" stay apart.
    return f"t:{quote(tenant_id, safe='')}:{key}"
