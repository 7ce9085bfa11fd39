"""The settings of a stack in, one of its stores emptied out, past everything that the product would do."""

from qdrant_client import models

from apex_memory.domain.bundles import VersionedBundle
from apex_memory.pipeline.stores.neo4j import open_neo4j
from apex_memory.pipeline.stores.qdrant import open_qdrant
from apex_memory.pipeline.stores.redis import open_redis
from apex_memory.settings import Settings


async def wipe(store: str, settings: Settings) -> None:
    """All that it holds of anybody, schema included."""
    match store:
        case "neo4j":
            await _wipe_neo4j(settings)
        case "qdrant":
            await _wipe_qdrant(settings)
        case _:
            async with open_redis(settings.redis_url, timeout_s=5.0) as redis:
                await redis.flushall()  # pyright: ignore[reportUnknownMemberType] - its options are untyped


async def remove_point(write: VersionedBundle, settings: Settings) -> None:
    client = open_qdrant(settings.qdrant_url)
    for collection in (await client.get_collections()).collections:
        await client.delete(collection.name, models.PointIdsList(points=[str(write.point_ids[0])]))
    await client.close()


async def say_otherwise(write: VersionedBundle, settings: Settings) -> None:
    """The facts of a version, changed in place."""
    said = (
        "MATCH ()-[r {tenant_id: $tenant, item_id: $item}]->() WHERE r.fact IS NOT NULL SET r.fact = 'not so'"
    )
    async with open_neo4j(settings.neo4j_url) as driver:
        await driver.execute_query(said, tenant=write.tenant_id, item=str(write.ref.item_id))


async def remove_relationship(write: VersionedBundle, settings: Settings) -> None:
    one = "MATCH ()-[r:MENTIONS {tenant_id: $tenant, item_id: $item}]->() WITH r LIMIT 1 DELETE r"
    async with open_neo4j(settings.neo4j_url) as driver:
        await driver.execute_query(one, tenant=write.tenant_id, item=str(write.ref.item_id))


async def make_twins(tenant: str, settings: Settings) -> None:
    """Every entity of the tenant twice, as concurrent writers make them without a constraint."""
    async with open_neo4j(settings.neo4j_url) as driver:
        await driver.execute_query(
            "MATCH (e:Entity {tenant_id: $tenant}) CREATE (twin:Entity) SET twin = properties(e)",
            tenant=tenant,
        )


async def twins_of(tenant: str, settings: Settings) -> int:
    count = """
    MATCH (e:Entity {tenant_id: $tenant}) WITH e.entity_id AS id, count(*) AS twins
    WHERE twins > 1 RETURN count(*)
    """
    async with open_neo4j(settings.neo4j_url) as driver:
        answer = await driver.execute_query(count, tenant=tenant)
    return answer.records[0][0]


async def _wipe_neo4j(settings: Settings) -> None:
    async with open_neo4j(settings.neo4j_url) as driver:
        await driver.execute_query("MATCH (n) DETACH DELETE n")
        for name in ("entity_identity", "episode_identity", "relation_identity"):
            await driver.execute_query(f"DROP CONSTRAINT {name} IF EXISTS")
        await driver.execute_query("DROP INDEX relation_version IF EXISTS")


async def _wipe_qdrant(settings: Settings) -> None:
    client = open_qdrant(settings.qdrant_url)
    for collection in (await client.get_collections()).collections:
        await client.delete_collection(collection.name)
    await client.close()
