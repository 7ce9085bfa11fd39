"""A tenant and the name of some work in, whether it is ours to do out; Redis away: it is."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from secrets import token_hex
from typing import Final

import structlog
from redis.asyncio import Redis

from apex_memory.pipeline.stores.redis import NAME, OUTAGE, key_of

# SET NX alone would respect whatever lies under the key. What lasts longer than the lease that is asked for
# is none that we gave: a value without an end, or one that a clock that was set back keeps for hours.
_TAKE: Final = """
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left <= tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# Compare and delete: a lease that lapsed may be another's by now.
_RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
"""

_REFUSED: Final = 0

_log = structlog.get_logger()


class RedisLeases:
    """Implements `ports.Leases`: a random token under the name, that expires by itself."""

    name = NAME

    def __init__(self, client: Redis) -> None:
        self._client = client

    @asynccontextmanager
    async def hold(self, tenant_id: str, name: str, *, ttl_s: float) -> AsyncGenerator[bool, None]:
        place, token = key_of(tenant_id, f"lease:{name}"), token_hex(16)
        # Anything but a clear refusal lets the work go on.
        if await self._run(_TAKE, place, token, max(1, round(ttl_s * 1000))) == _REFUSED:
            yield False
            return
        try:
            yield True
        finally:
            # Also if Redis did not answer above: the script may have run all the same.
            await self._run(_RELEASE, place, token)

    async def _run(self, script: str, place: str, *arguments: str | int) -> object:
        try:
            return await self._client.eval(script, 1, place, *arguments)
        except OUTAGE as exc:
            _log.warning("lease.unavailable", reason=str(exc))
            return None
