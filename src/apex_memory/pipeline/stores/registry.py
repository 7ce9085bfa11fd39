"""Settings in, every store opened out; the order here is the order in which operators read them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from apex_memory.database import Database
from apex_memory.failpoints import with_failpoints
from apex_memory.pipeline.stores.guarded import guarded
from apex_memory.pipeline.stores.leases import RedisLeases
from apex_memory.pipeline.stores.neo4j import Neo4jStore, open_neo4j
from apex_memory.pipeline.stores.postgres import PostgresStore
from apex_memory.pipeline.stores.qdrant import QdrantStore, open_qdrant
from apex_memory.pipeline.stores.redis import RedisCache, open_redis
from apex_memory.ports import Cache, Embedder, Leases, Store
from apex_memory.settings import Settings

S = TypeVar("S", bound=Store)


@dataclass(frozen=True)
class Stores:
    """The participants of the write. Redis is not one: it may vanish at any time."""

    postgres: PostgresStore
    qdrant: QdrantStore
    neo4j: Neo4jStore

    def participants(self) -> tuple[Store, ...]:
        return (self.postgres, self.qdrant, self.neo4j)


@asynccontextmanager
async def open_stores(
    settings: Settings, database: Database, embedder: Embedder
) -> AsyncGenerator[Stores, None]:
    """Clients that connect at their first use; a store that is down now is waited for then."""
    neo4j = open_neo4j(settings.neo4j_url, user=settings.neo4j_user, password=settings.neo4j_password)
    async with neo4j:
        qdrant = open_qdrant(settings.qdrant_url, api_key=settings.qdrant_api_key)
        try:
            yield Stores(
                postgres=_opened(PostgresStore(database), settings),
                qdrant=_opened(QdrantStore(qdrant, embedder_id=embedder.id, dim=embedder.dim), settings),
                neo4j=_opened(Neo4jStore(neo4j), settings),
            )
        finally:
            await qdrant.close()


@asynccontextmanager
async def open_cache(settings: Settings) -> AsyncGenerator[Cache, None]:
    """Redis, for who can do without it."""
    async with open_redis(settings.redis_url) as redis:
        yield RedisCache(redis)


@asynccontextmanager
async def open_leases(settings: Settings) -> AsyncGenerator[Leases, None]:
    """Redis, for who does work twice without it, and no worse."""
    async with open_redis(settings.redis_url) as redis:
        yield RedisLeases(redis)


def _opened(store: S, settings: Settings) -> S:
    failing = with_failpoints(store.name, store, settings.failpoints)
    return guarded(failing, read_deadline_s=settings.read_deadline_s)
