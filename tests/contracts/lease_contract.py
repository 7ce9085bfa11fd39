"""What every Leases keeps to; inherit, and give the fixtures `leases`, `lapse` and `unreachable`."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from tests.contracts.writes import fresh_tenant

from apex_memory.ports import Leases

TTL_S = 60.0
NAME = "sweep"

Lapse = Callable[[str, str], Awaitable[None]]
"""A tenant and a name in: the lease that is held under them has reached its end."""


async def is_free(leases: Leases, tenant: str, name: str = NAME) -> bool:
    async with leases.hold(tenant, name, ttl_s=TTL_S) as ours:
        return ours


class LeaseContract:
    async def test_the_first_holds_it_and_nobody_else_while_it_does(self, leases: Leases) -> None:
        tenant = fresh_tenant()

        async with leases.hold(tenant, NAME, ttl_s=TTL_S) as first:
            others = [await is_free(leases, tenant) for _ in range(3)]

        assert first
        assert others == [False] * 3

    async def test_of_many_that_ask_at_once_one_holds_it(self, leases: Leases) -> None:
        tenant, all_asked = fresh_tenant(), asyncio.Barrier(16)

        async def ask() -> bool:
            async with leases.hold(tenant, NAME, ttl_s=TTL_S) as ours:
                await all_asked.wait()
                return ours

        assert sum(await asyncio.gather(*(ask() for _ in range(16)))) == 1

    async def test_it_is_free_again_when_its_holder_is_done(self, leases: Leases) -> None:
        tenant = fresh_tenant()

        assert [await is_free(leases, tenant) for _ in range(3)] == [True] * 3

    async def test_it_is_free_again_when_its_holder_fails(self, leases: Leases) -> None:
        tenant = fresh_tenant()

        with pytest.raises(LookupError):
            async with leases.hold(tenant, NAME, ttl_s=TTL_S):
                raise LookupError

        assert await is_free(leases, tenant)

    async def test_it_is_free_again_when_its_holder_is_cancelled(self, leases: Leases) -> None:
        tenant, holding = fresh_tenant(), asyncio.Event()

        async def hold() -> None:
            async with leases.hold(tenant, NAME, ttl_s=TTL_S):
                holding.set()
                await asyncio.Event().wait()

        holder = asyncio.create_task(hold())
        await holding.wait()
        holder.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holder

        assert await is_free(leases, tenant)

    async def test_it_is_free_again_when_it_lapses_though_its_holder_goes_on(
        self, leases: Leases, lapse: Lapse
    ) -> None:
        tenant = fresh_tenant()

        async with leases.hold(tenant, NAME, ttl_s=TTL_S):
            await lapse(tenant, NAME)
            assert await is_free(leases, tenant)

    async def test_a_holder_whose_lease_lapsed_does_not_end_the_lease_of_the_next(
        self, leases: Leases, lapse: Lapse
    ) -> None:
        tenant = fresh_tenant()

        async with AsyncExitStack() as late:
            await late.enter_async_context(leases.hold(tenant, NAME, ttl_s=TTL_S))
            await lapse(tenant, NAME)
            async with leases.hold(tenant, NAME, ttl_s=TTL_S) as next_one:
                await late.aclose()

                assert next_one
                assert not await is_free(leases, tenant)

    async def test_one_who_was_refused_does_not_end_the_lease(self, leases: Leases) -> None:
        tenant = fresh_tenant()

        async with leases.hold(tenant, NAME, ttl_s=TTL_S):
            assert not await is_free(leases, tenant)
            assert not await is_free(leases, tenant)

    async def test_what_would_outlast_the_lease_that_is_asked_for_is_none(self, leases: Leases) -> None:
        tenant = fresh_tenant()

        async with leases.hold(tenant, NAME, ttl_s=100 * TTL_S):
            assert await is_free(leases, tenant)

    async def test_another_name_and_another_tenant_are_other_leases(self, leases: Leases) -> None:
        tenant = fresh_tenant()

        async with leases.hold(tenant, NAME, ttl_s=TTL_S):
            assert await is_free(leases, tenant, "collect")
            assert await is_free(leases, fresh_tenant())
            assert await is_free(leases, f"{tenant}:lease", NAME)


class UnreachableLeaseContract:
    async def test_nobody_can_say_so_the_work_goes_on(self, unreachable: Leases) -> None:
        async with unreachable.hold("acme", NAME, ttl_s=TTL_S) as first:
            assert first
            assert await is_free(unreachable, "acme")
