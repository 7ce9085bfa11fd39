"""What every Cache keeps to; inherit, and give the fixtures `cache` and `unreachable`."""

import pytest
from tests.contracts.writes import fresh_tenant

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.ports import Cache

BINARY = bytes(range(256))


class CacheContract:
    async def test_what_was_put_is_got(self, cache: Cache) -> None:
        tenant = fresh_tenant()

        assert await cache.put(tenant, "answer", BINARY, ttl_s=60)

        assert await cache.get(tenant, "answer") == BINARY

    async def test_what_was_put_at_once_is_got_one_by_one(self, cache: Cache) -> None:
        tenant, other = fresh_tenant(), fresh_tenant()

        assert await cache.put_all(tenant, {"answer": BINARY, "question": b""}, ttl_s=60)
        assert await cache.put_all(tenant, {}, ttl_s=60)

        assert await cache.get(tenant, "answer") == BINARY
        assert await cache.get(tenant, "question") == b""
        assert await cache.get(other, "answer") is None

    async def test_what_was_never_put_is_a_miss(self, cache: Cache) -> None:
        assert await cache.get(fresh_tenant(), "answer") is None

    async def test_what_was_put_last_is_got(self, cache: Cache) -> None:
        tenant = fresh_tenant()

        await cache.put(tenant, "answer", b"old", ttl_s=60)
        await cache.put(tenant, "answer", b"", ttl_s=60)

        assert await cache.get(tenant, "answer") == b""

    async def test_two_tenants_never_meet_however_they_are_named(self, cache: Cache) -> None:
        tenant = fresh_tenant()

        await cache.put(tenant, "b:answer", b"mine", ttl_s=60)

        assert await cache.get(fresh_tenant(), "b:answer") is None
        assert await cache.get(f"{tenant}:b", "answer") is None

    async def test_what_is_kept_for_a_tenant_is_named_and_dropped_and_nobody_elses(
        self, cache: Cache
    ) -> None:
        tenant, other = fresh_tenant(), fresh_tenant()
        for key in (names := {"item:1:v2", "answer:3:x", "with spaces and *"}):
            await cache.put(tenant, key, BINARY, ttl_s=60)
            await cache.put(other, key, BINARY, ttl_s=60)
        await cache.put(f"{tenant}*", "answer", BINARY, ttl_s=60)

        assert set(await cache.keys(tenant)) == names
        await cache.forget(tenant)

        assert await cache.keys(tenant) == []
        assert await cache.get(tenant, "answer:3:x") is None
        assert set(await cache.keys(other)) == names
        assert await cache.get(f"{tenant}*", "answer") == BINARY

    async def test_more_keys_than_fit_into_one_call_are_dropped(self, cache: Cache) -> None:
        tenant = fresh_tenant()
        for n in range(0, 1_200, 50):
            assert await cache.put_all(tenant, {f"answer:{n + m}:x": b"" for m in range(50)}, ttl_s=60)

        assert len(await cache.keys(tenant)) == 1_200
        await cache.forget(tenant)

        assert await cache.keys(tenant) == []

    async def test_forgetting_nothing_is_fine(self, cache: Cache) -> None:
        await cache.forget(fresh_tenant())

    async def test_an_answering_cache_can_be_pinged(self, cache: Cache) -> None:
        await cache.ping()


class UnreachableCacheContract:
    async def test_an_outage_is_a_miss(self, unreachable: Cache) -> None:
        assert await unreachable.get("acme", "answer") is None

    async def test_an_outage_keeps_nothing_and_says_so(self, unreachable: Cache) -> None:
        assert not await unreachable.put("acme", "answer", b"42", ttl_s=60)
        assert not await unreachable.put_all("acme", {"answer": b"42"}, ttl_s=60)

    async def test_who_must_know_that_nothing_is_kept_is_told_of_the_outage(self, unreachable: Cache) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable.keys("acme")
        with pytest.raises(StoreUnavailable):
            await unreachable.forget("acme")

    async def test_a_ping_tells_of_the_outage(self, unreachable: Cache) -> None:
        with pytest.raises(StoreUnavailable):
            await unreachable.ping()
