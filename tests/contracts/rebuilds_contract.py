"""What every Rebuilds keeps to; inherit, and give the fixture `rebuilds`."""

from uuid import uuid4

from tests.contracts.writes import fresh_tenant

from apex_memory.ports import Rebuilds


class RebuildsContract:
    async def test_what_was_begun_is_under_way_until_it_is_ended(self, rebuilds: Rebuilds) -> None:
        tenant, rebuild_id = fresh_tenant(), uuid4()

        await rebuilds.begin("qdrant", [tenant], rebuild_id=rebuild_id)
        assert await rebuilds.under_way(tenant, "qdrant") == [rebuild_id]
        await rebuilds.end(tenant, "qdrant", [rebuild_id, uuid4()])

        assert await rebuilds.under_way(tenant, "qdrant") == []

    async def test_it_is_said_of_these_tenants_and_of_this_store_only(self, rebuilds: Rebuilds) -> None:
        one, other, third = fresh_tenant(), fresh_tenant(), fresh_tenant()

        await rebuilds.begin("qdrant", [one, other], rebuild_id=uuid4())

        assert await rebuilds.under_way(other, "qdrant")
        assert not await rebuilds.under_way(one, "neo4j")
        assert not await rebuilds.under_way(third, "qdrant")

    async def test_beginning_again_after_the_end_says_nothing(self, rebuilds: Rebuilds) -> None:
        tenant, rebuild_id = fresh_tenant(), uuid4()
        for _ in range(2):
            await rebuilds.begin("qdrant", [tenant], rebuild_id=rebuild_id)
        await rebuilds.end(tenant, "qdrant", [rebuild_id])

        await rebuilds.begin("qdrant", [tenant], rebuild_id=rebuild_id)

        assert await rebuilds.under_way(tenant, "qdrant") == []

    async def test_of_two_at_once_each_ends_for_itself(self, rebuilds: Rebuilds) -> None:
        tenant, first, second = fresh_tenant(), uuid4(), uuid4()
        await rebuilds.begin("neo4j", [tenant], rebuild_id=first)
        await rebuilds.begin("neo4j", [tenant], rebuild_id=second)

        await rebuilds.end(tenant, "neo4j", [first])

        assert await rebuilds.under_way(tenant, "neo4j") == [second]
