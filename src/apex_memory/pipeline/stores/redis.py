"""Bytes under a tenant's key in, the same bytes out while Redis has them; an outage is a miss."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, cast
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
KEYS_A_CALL: Final = 1_000
# An outage shows as one line, not as one a request.
QUIET_S: Final = 10.0
#: Whatever goes wrong with Redis. A reply that is not its protocol leaves the driver as a plain ValueError or
#: TypeError: it was about to make a number or a key of it.
OUTAGE: Final = (RedisError, ValueError, TypeError)

_SEAL_BYTES: Final = 16
#: Another number makes everything that was kept before a miss.
_SEAL_VERSION: Final = b"apex cache 1"

_log = structlog.get_logger()


def open_redis(url: str, *, timeout_s: float = TIMEOUT_S) -> Redis:
    """A client that has not connected yet; close it with `aclose`."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - its options are untyped
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=Retry(NoBackoff(), 0)
    )


class RedisCache:
    """Implements `ports.Cache`. `clock` gives seconds, for the pause between two lines of an outage.

    A value is kept behind a seal over its key and itself. Whatever else comes back is a miss: a reply to
    another question, another tenant's value under our key, half a value.
    """

    name = NAME

    def __init__(self, client: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._quiet_until = float("-inf")

    async def get(self, tenant_id: str, key: str) -> bytes | None:
        place = key_of(tenant_id, key)
        try:
            kept = await self._client.get(place)
        except OUTAGE as exc:
            self._missed(exc)
            return None
        # Never text: the client does not decode.
        return _unsealed(place, kept) if isinstance(kept, bytes) else None

    async def put(self, tenant_id: str, key: str, value: bytes, *, ttl_s: int) -> bool:
        return await self.put_all(tenant_id, {key: value}, ttl_s=ttl_s)

    async def put_all(self, tenant_id: str, values: Mapping[str, bytes], *, ttl_s: int) -> bool:
        try:
            async with self._client.pipeline(transaction=False) as pipeline:
                for key, value in values.items():
                    place = key_of(tenant_id, key)
                    pipeline.set(place, _seal(place, value) + value, ex=ttl_s)
                return all(await pipeline.execute())
        except OUTAGE as exc:
            self._missed(exc)
            return False

    async def keys(self, tenant_id: str) -> Sequence[str]:
        return [place.removeprefix(key_of(tenant_id, "")) for place in await self._places(tenant_id)]

    async def forget(self, tenant_id: str) -> None:
        places = await self._places(tenant_id)
        try:
            for start in range(0, len(places), KEYS_A_CALL):
                await self._client.unlink(*places[start : start + KEYS_A_CALL])
        except OUTAGE as exc:
            raise StoreUnavailable(NAME, str(exc)) from exc

    async def _places(self, tenant_id: str) -> Sequence[str]:
        # No pattern: quoted, a tenant has no character that one gives a meaning to.
        pattern = key_of(tenant_id, "*")
        try:
            found = self._client.scan_iter(match=pattern, count=KEYS_A_CALL)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
            return [place.decode() async for place in cast("AsyncIterator[bytes]", found)]
        except OUTAGE as exc:
            raise StoreUnavailable(NAME, str(exc)) from exc

    async def ping(self) -> None:
        try:
            await self._client.ping()  # pyright: ignore[reportUnknownMemberType] - as above
        except OUTAGE as exc:
            raise StoreUnavailable(NAME, str(exc)) from exc

    def _missed(self, exc: Exception) -> None:
        if self._clock() >= self._quiet_until:
            self._quiet_until = self._clock() + QUIET_S
            _log.warning("cache.unavailable", reason=str(exc))


def key_of(tenant_id: str, key: str) -> str:
    """Where a tenant's key lies in Redis."""
    # Quoted, a tenant has no colon of its own: "a" with "b:c" and "a:b" with "c" stay apart.
    return f"t:{quote(tenant_id, safe='')}:{key}"


def _unsealed(place: str, kept: bytes) -> bytes | None:
    seal, value = kept[:_SEAL_BYTES], kept[_SEAL_BYTES:]
    return value if seal == _seal(place, value) else None


def _seal(place: str, value: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_SEAL_BYTES, person=_SEAL_VERSION)
    # A place holds no zero byte, so the two cannot be mistaken for one another.
    digest.update(place.encode() + b"\0")
    digest.update(value)
    return digest.digest()
