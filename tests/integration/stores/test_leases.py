"""The leases over the real service, held to the contract."""

from collections.abc import AsyncGenerator

import pytest
from redis.asyncio import Redis
from tests.contracts.lease_contract import (
    NAME,
    TTL_S,
    Lapse,
    LeaseContract,
    UnreachableLeaseContract,
    is_free,
)
from tests.contracts.writes import fresh_tenant

from apex_memory.pipeline.stores.leases import RedisLeases
from apex_memory.pipeline.stores.redis import key_of, open_redis
from apex_memory.ports import Leases
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
async def client(stack_settings: Settings) -> AsyncGenerator[Redis]:
    # Longer than the product's: a busy machine must not make a refusal an outage.
    async with open_redis(stack_settings.redis_url, timeout_s=10.0) as client:
        yield client


@pytest.fixture
def leases(client: Redis) -> Leases:
    return RedisLeases(client)


class TestRedisLeases(LeaseContract):
    @pytest.fixture
    def lapse(self, client: Redis) -> Lapse:
        async def lapse(tenant: str, name: str) -> None:
            # What Redis does when the time is up, and fails if nothing was held.
            assert await client.pexpireat(key_of(tenant, f"lease:{name}"), 1)

        return lapse


class TestUnreachableRedisLeases(UnreachableLeaseContract):
    @pytest.fixture
    async def unreachable(self, dead_address: str) -> AsyncGenerator[Leases]:
        async with open_redis(f"redis://{dead_address}/0") as client:
            yield RedisLeases(client)


async def test_a_lease_lapses_by_itself(client: Redis, leases: Leases) -> None:
    tenant = fresh_tenant()

    async with leases.hold(tenant, NAME, ttl_s=TTL_S):
        assert 0 < await client.pttl(key_of(tenant, f"lease:{NAME}")) <= TTL_S * 1000


@pytest.mark.parametrize("kind", ["a value without an end", "another type"])
async def test_garbage_under_its_name_holds_nothing_up(client: Redis, leases: Leases, kind: str) -> None:
    tenant = fresh_tenant()
    place = key_of(tenant, f"lease:{NAME}")
    if kind == "another type":
        await client.hset(place, "token", "1")
    else:
        await client.set(place, "token")

    async with leases.hold(tenant, NAME, ttl_s=TTL_S) as ours:
        assert ours
        assert not await is_free(leases, tenant)
    assert not await client.exists(place)


async def test_nothing_is_left_of_a_lease_that_was_given_back(client: Redis, leases: Leases) -> None:
    tenant = fresh_tenant()

    async with leases.hold(tenant, NAME, ttl_s=TTL_S):
        pass

    assert not await client.exists(key_of(tenant, f"lease:{NAME}"))
