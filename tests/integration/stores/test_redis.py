"""The cache over the real service, held to the contract."""

from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs
from tests.contracts.cache_contract import CacheContract, UnreachableCacheContract
from tests.contracts.writes import fresh_tenant

from apex_memory.pipeline.stores.redis import RedisCache, open_redis
from apex_memory.ports import Cache
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def client(stack_settings: Settings) -> AsyncGenerator[Redis]:
    async with open_redis(stack_settings.redis_url) as client:
        yield client


class TestRedisCache(CacheContract):
    @pytest.fixture
    def cache(self, client: Redis) -> Cache:
        return RedisCache(client)


class TestUnreachableRedisCache(UnreachableCacheContract):
    @pytest.fixture
    async def unreachable(self, dead_address: str) -> AsyncGenerator[Cache]:
        async with open_redis(f"redis://{dead_address}/0") as client:
            yield RedisCache(client)


async def test_what_is_put_expires(client: Redis) -> None:
    tenant = fresh_tenant()

    await RedisCache(client).put(tenant, "answer", b"42", ttl_s=60)

    assert 0 < await client.pttl(f"t:{tenant}:answer") <= 60_000


async def test_an_outage_is_logged_once_in_ten_seconds() -> None:
    times = iter([0.0, 0.0, 9.9, 10.0, 10.0])
    async with open_redis("redis://127.0.0.1:1/0") as client:
        cache = RedisCache(client, clock=lambda: next(times))

        with capture_logs() as logs:
            for _ in range(3):
                await cache.get("acme", "answer")

    assert [line["event"] for line in logs] == ["cache.unavailable"] * 2
