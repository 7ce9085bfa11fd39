"""Settings in, all that the API needs out: accepting, reading, and knowing what is down."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from temporalio.client import Client
from temporalio.service import RPCError

from apex_memory.bootstrap.clients import connect_temporal, open_connections, open_embedder, open_staging
from apex_memory.bootstrap.sources import sources_with
from apex_memory.database import open_database, open_listener
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.failpoints import with_failpoints
from apex_memory.pipeline.intake.accounts import Bases, bases_with
from apex_memory.pipeline.intake.allowance import Allowances
from apex_memory.pipeline.intake.deliveries import PostgresDeliveries
from apex_memory.pipeline.intake.endpoints import PostgresEndpoints
from apex_memory.pipeline.intake.feeds import PostgresFeeds
from apex_memory.pipeline.intake.gateway import Gateway
from apex_memory.pipeline.intake.inbox import PostgresInbox
from apex_memory.pipeline.intake.keys import PostgresApiKeys
from apex_memory.pipeline.intake.mappings import PostgresMappings
from apex_memory.pipeline.intake.opened import LatelyOpened
from apex_memory.pipeline.intake.schemes import scheme_of
from apex_memory.pipeline.intake.seal import seal_of
from apex_memory.pipeline.ledger.forgettings import PostgresForgettings
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.parsing.registry import parser_for
from apex_memory.pipeline.retrieval.search import Retrieval
from apex_memory.pipeline.stores.archive import PostgresArchive
from apex_memory.pipeline.stores.registry import Stores, open_cache, open_stores
from apex_memory.ports import (
    ApiKeys,
    Archive,
    Cache,
    Connections,
    Deliveries,
    Endpoints,
    Feeds,
    Forgettings,
    Inbox,
    Ledger,
    Mappings,
    SourceOf,
    StagingArea,
)
from apex_memory.settings import Settings

Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Memory:
    """Opened once a process. `accepts` raises DocumentRejected for a format that nothing reads."""

    settings: Settings
    inbox: Inbox
    archive: Archive
    ledger: Ledger
    staging: StagingArea
    keys: ApiKeys
    connections: Connections
    bases: Bases
    feeds: Feeds
    endpoints: Endpoints
    deliveries: Deliveries
    gateway: Gateway
    allowances: Allowances
    forgettings: Forgettings
    retrieval: Retrieval
    mappings: Mappings
    source_of: SourceOf
    accepts: Callable[[str, str], object]
    probes: Mapping[str, Probe]


@asynccontextmanager
async def open_memory(settings: Settings) -> AsyncGenerator[Memory, None]:
    """Open every client that reading and accepting need.

    Raises:
        SettingMissing: a setting is malformed.
        EmbedderMismatch: the data was embedded by another model than the configured one.
        StoreUnavailable: PostgreSQL, without which nothing can be accepted, does not answer.
    """
    bases = bases_with(settings.source_api_urls)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.postgres_url))
        done = await stack.enter_async_context(open_listener(settings.postgres_url, "apex_done"))
        embedder = await stack.enter_async_context(open_embedder(settings, database))
        stores = await stack.enter_async_context(open_stores(settings, database, embedder))
        cache = await stack.enter_async_context(open_cache(settings))
        ledger = with_failpoints("ledger", PostgresLedger(database), settings.failpoints)
        archive = with_failpoints("archive", PostgresArchive(database), settings.failpoints)
        temporal = await connect_temporal(settings, lazy=True)
        inbox = with_failpoints("inbox", PostgresInbox(database, done=done), settings.failpoints)
        kept = PostgresEndpoints(database, seal_of(settings))
        endpoints = LatelyOpened(with_failpoints("endpoints", kept, settings.failpoints))
        mappings = with_failpoints("mappings", PostgresMappings(database), settings.failpoints)
        source_of = sources_with(mappings)
        allowances = Allowances.of(settings.rate_limit_per_s)
        deadline_s = settings.read_deadline_s
        yield Memory(
            settings=settings,
            inbox=inbox,
            archive=archive,
            ledger=ledger,
            staging=open_staging(settings),
            keys=with_failpoints("keys", PostgresApiKeys(database), settings.failpoints),
            connections=open_connections(settings, database),
            bases=bases,
            feeds=with_failpoints("feeds", PostgresFeeds(database), settings.failpoints),
            endpoints=endpoints,
            deliveries=with_failpoints("deliveries", PostgresDeliveries(database), settings.failpoints),
            gateway=Gateway(
                endpoints=endpoints,
                inbox=inbox,
                source_of=source_of,
                scheme_of=scheme_of,
                allowances=allowances,
            ),
            allowances=allowances,
            forgettings=with_failpoints("forgettings", PostgresForgettings(database), settings.failpoints),
            retrieval=Retrieval(
                ledger, archive, stores.qdrant, stores.neo4j, embedder, cache, deadline_s=deadline_s
            ),
            mappings=mappings,
            source_of=source_of,
            accepts=parser_for,
            probes=_probes(stores, cache, temporal),
        )


def _probes(stores: Stores, cache: Cache, temporal: Client) -> Mapping[str, Probe]:
    async def ping_temporal() -> None:
        try:
            await temporal.service_client.check_health()
        except (RPCError, RuntimeError) as exc:
            raise StoreUnavailable("temporal", str(exc)) from exc

    return {
        **{store.name: store.ping for store in stores.participants()},
        cache.name: cache.ping,
        "temporal": ping_temporal,
    }
