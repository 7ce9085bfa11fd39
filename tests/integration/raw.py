"""The settings of a test in, every byte that its services hold out, by the place where it lies."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection, sql
from temporalio.client import Client

from apex_memory.pipeline.stores.neo4j import open_neo4j
from apex_memory.pipeline.stores.qdrant import open_qdrant
from apex_memory.pipeline.stores.redis import open_redis
from apex_memory.settings import Settings

#: What `places_of` looks into beside the tables of PostgreSQL.
PLACES = ("neo4j", "qdrant", "redis", "staging", "temporal")

_TABLES = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2
"""


async def places_of(text: str, settings: Settings, temporal: Client) -> dict[str, int]:
    """How often a text occurs, in any case, by place; a place where it does not occur is left out."""
    wanted = text.lower().encode()
    found = {
        place: b"\n".join(pieces).lower().count(wanted)
        for place, pieces in (await everything(settings, temporal)).items()
    }
    return {place: count for place, count in found.items() if count}


async def everything(settings: Settings, temporal: Client) -> Mapping[str, Sequence[bytes]]:
    """The pieces of each place: rows, properties, payloads, keys and values, files, histories."""
    return {
        **await tables(settings),
        "neo4j": await graph(settings),
        "qdrant": await points(settings),
        "redis": await cache(settings),
        "staging": files(settings),
        "temporal": [piece async for piece in histories(settings, temporal)],
    }


async def tables(settings: Settings) -> dict[str, list[bytes]]:
    """Every column of every row of every table, bytes as they are."""
    async with await AsyncConnection.connect(settings.postgres_url) as connection:
        cursor = await connection.execute(_TABLES)
        names = await cursor.fetchall()
        dumped: dict[str, list[bytes]] = {}
        for name in names:
            query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(*name))
            rows = await (await connection.execute(query)).fetchall()
            dumped[name[1]] = [b"|".join(map(_bytes, row)) for row in rows]
        return dumped


async def graph(settings: Settings) -> list[bytes]:
    """Label or type, and every property, of every node and relationship."""
    queries = (
        "MATCH (n) RETURN labels(n) AS kind, properties(n) AS held",
        "MATCH ()-[r]->() RETURN type(r) AS kind, properties(r) AS held",
    )
    async with open_neo4j(settings.neo4j_url, password=settings.neo4j_password) as driver:
        answers = [await driver.execute_query(query) for query in queries]
    return [_bytes(record.data()) for answer in answers for record in answer.records]


async def points(settings: Settings) -> list[bytes]:
    """Id and payload of every point of every collection, and whether it has a vector."""
    client = open_qdrant(settings.qdrant_url)
    dumped: list[bytes] = []
    try:
        for collection in (await client.get_collections()).collections:
            offset: Any = None
            while True:
                page, offset = await client.scroll(
                    collection.name, limit=1000, offset=offset, with_payload=True, with_vectors=True
                )
                dumped += [_bytes((point.id, point.payload, bool(point.vector))) for point in page]
                if offset is None:
                    break
    finally:
        await client.close()
    return dumped


async def cache(settings: Settings) -> list[bytes]:
    """Every key, and every value as Redis would write it to disk."""
    dumped: list[bytes] = []
    async with open_redis(settings.redis_url, timeout_s=5.0) as client:
        keys: list[Any] = await client.keys("*")  # pyright: ignore[reportUnknownMemberType] - its options are untyped
        for key in keys:
            # DUMP alone may compress a value; GET alone cannot read what is no string.
            kind: Any = await client.type(key)
            value: Any = await (client.get(key) if kind == b"string" else client.dump(key))
            dumped.append(key + b"=" + (value or b""))
    return dumped


def files(settings: Settings) -> list[bytes]:
    """Path and content of every file in the staging area."""
    root = settings.staging_dir
    return [
        str(path.relative_to(root)).encode() + b"=" + path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    ]


async def histories(settings: Settings, temporal: Client) -> AsyncGenerator[bytes, None]:
    """What the list shows of each workflow of the test's own queues, and its whole history."""
    query = f"TaskQueue = '{settings.queue_prefix}-workflows'"
    async for execution in temporal.list_workflows(query):
        yield execution.raw_info.SerializeToString()
        handle = temporal.get_workflow_handle(execution.id, run_id=execution.run_id)
        for event in (await handle.fetch_history()).events:
            yield event.SerializeToString()


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()
