"""Queues in, their activities over opened clients out; a process loads only what its queues use."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any, Final

from apex_memory.bootstrap.clients import connect_temporal, open_chunker, open_embedder, open_staging
from apex_memory.database import Database, open_database
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.queues import Queue
from apex_memory.failpoints import with_failpoints
from apex_memory.ports import Projection, Store, Upkeep
from apex_memory.process import beside
from apex_memory.settings import Settings
from apex_memory.workflows.policies import AT_HAND

# The imports stand inside the functions: a worker that loads every driver takes 4 s of CPU and 200 MB.

Activities = Sequence[Callable[..., Any]]
_Open = Callable[[Settings, Database, AsyncExitStack], Awaitable[Activities]]


async def activities_of(
    queues: Iterable[Queue], settings: Settings, stack: AsyncExitStack
) -> Mapping[Queue, Activities]:
    """The activities of each queue; `stack` closes their clients.

    Those that workflows have at hand are opened once, also if their own queues are among `queues`: a second
    embedder would be a second copy of the model.
    """
    wanted = dict.fromkeys(queues)
    opened: dict[Queue, Activities] = {}
    for queue in dict.fromkeys([*wanted, *(AT_HAND if Queue.WORKFLOWS in wanted else ())]):
        if queue is not Queue.WORKFLOWS:
            database = await stack.enter_async_context(open_database(settings.postgres_url))
            opened[queue] = await _OPENED_BY[queue](settings, database, stack)
    if Queue.WORKFLOWS in wanted:
        opened[Queue.WORKFLOWS] = at_hand(opened)
    return {queue: opened[queue] for queue in wanted}


def at_hand(opened: Mapping[Queue, Activities]) -> Activities:
    """What the workflows' own worker runs as local activities."""
    return [each for queue in AT_HAND for each in opened[queue]]


async def _stage(settings: Settings, database: Database, stack: AsyncExitStack) -> Activities:
    from apex_memory.activities.complete import CompleteActivities
    from apex_memory.activities.feed import FeedActivities
    from apex_memory.activities.stage import StageActivities
    from apex_memory.bootstrap.clients import open_sources
    from apex_memory.pipeline.extraction.documents import document_bundle
    from apex_memory.pipeline.intake.feeds import PostgresFeeds
    from apex_memory.pipeline.intake.inbox import PostgresInbox
    from apex_memory.pipeline.parsing.registry import parser_for
    from apex_memory.pipeline.sources.feeds import feed_named
    from apex_memory.pipeline.sources.registry import SOURCES

    inbox = with_failpoints("inbox", PostgresInbox(database), settings.failpoints)
    staging = open_staging(settings)
    sources = {source.name: source for source in SOURCES}
    stage = StageActivities(
        inbox=inbox,
        staging=staging,
        parser_for=parser_for,
        chunker=open_chunker(settings),
        document_bundle=document_bundle,
        sources=sources,
    )
    api = await stack.enter_async_context(open_sources(settings, database))
    complete = CompleteActivities(inbox=inbox, staging=staging, sources=sources, api=api)
    feeds = with_failpoints("feeds", PostgresFeeds(database), settings.failpoints)
    feed = FeedActivities(feeds=feeds, api=api, reader_named=feed_named)
    return (
        feed.poll_feed_activity,
        stage.fetch_structured_data_activity,
        complete.complete_records_activity,
        stage.pull_and_stage_document_activity,
        stage.parse_document_activity,
        stage.cleanup_staging_activity,
        stage.mark_staging_failed_activity,
    )


async def _extract(settings: Settings, database: Database, _stack: AsyncExitStack) -> Activities:
    from apex_memory.activities.extract import ExtractActivities
    from apex_memory.bootstrap.sources import sources_with
    from apex_memory.pipeline.extraction.rules import RuleExtractor
    from apex_memory.pipeline.intake.inbox import PostgresInbox
    from apex_memory.pipeline.intake.mappings import PostgresMappings

    mappings = with_failpoints("mappings", PostgresMappings(database), settings.failpoints)
    extract = ExtractActivities(
        inbox=with_failpoints("inbox", PostgresInbox(database), settings.failpoints),
        staging=open_staging(settings),
        source_of=sources_with(mappings),
        extractor=RuleExtractor(),
        chunker=open_chunker(settings),
    )
    return extract.extract_entities_from_json_activity, extract.extract_entities_from_document_activity


async def _embed(settings: Settings, database: Database, stack: AsyncExitStack) -> Activities:
    from apex_memory.activities.embed import EmbedActivities

    embedder = await stack.enter_async_context(open_embedder(settings, database))
    embed = EmbedActivities(staging=open_staging(settings), embedder=embedder)
    return embed.generate_embeddings_from_json_activity, embed.generate_embeddings_from_document_activity


async def _write(settings: Settings, database: Database, stack: AsyncExitStack) -> Activities:
    from apex_memory.activities.write import WriteActivities
    from apex_memory.pipeline.ledger.ledger import PostgresLedger
    from apex_memory.pipeline.stores.registry import open_stores

    embedder = await stack.enter_async_context(open_embedder(settings, database))
    stores = await stack.enter_async_context(open_stores(settings, database, embedder))
    # Beside the first tasks, not before them: a store that is slow must not keep the worker from the others.
    await stack.enter_async_context(beside(_ensure(stores.participants()), name="ensure stores"))
    write = WriteActivities(
        ledger=with_failpoints("ledger", PostgresLedger(database), settings.failpoints),
        staging=open_staging(settings),
        stores=stores.participants(),
        embedder_id=embedder.id,
    )
    return write.allocate_versions_activity, *write.prepare_activities(), write.commit_versions_activity


async def _ensure(stores: Sequence[Store]) -> None:
    """So that there is something to search before the first write, which sees to it again."""
    for store in stores:
        with suppress(StoreUnavailable):
            await store.ensure()


async def _maintain(settings: Settings, database: Database, stack: AsyncExitStack) -> Activities:
    from apex_memory.activities.maintain import MaintainActivities
    from apex_memory.activities.upkeep import UpkeepActivities, UpkeepAges
    from apex_memory.bootstrap.temporal_workflows import TemporalWorkflows
    from apex_memory.pipeline.intake.inbox import PostgresInbox
    from apex_memory.pipeline.ledger.ledger import PostgresLedger
    from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep
    from apex_memory.pipeline.stores.registry import open_leases, open_stores

    embedder = await stack.enter_async_context(open_embedder(settings, database))
    stores = await stack.enter_async_context(open_stores(settings, database, embedder))
    ledger = with_failpoints("ledger", PostgresLedger(database), settings.failpoints)
    maintain = MaintainActivities(ledger=ledger, stores=stores.participants())
    seen = with_failpoints("upkeep", PostgresUpkeep(database), settings.failpoints)
    upkeep = UpkeepActivities(
        ledger=ledger,
        upkeep=seen,
        inbox=with_failpoints("inbox", PostgresInbox(database), settings.failpoints),
        stores=stores.participants(),
        staging=open_staging(settings),
        workflows=with_failpoints(
            "workflows",
            TemporalWorkflows(await connect_temporal(settings, lazy=True)),
            settings.failpoints,
        ),
        leases=await stack.enter_async_context(open_leases(settings)),
        ages=UpkeepAges(
            reap_s=settings.reap_after_s,
            sweep_s=settings.sweep_after_s,
            grace_s=settings.grace_s,
            staging_s=settings.staging_ttl_s,
        ),
    )
    return (
        maintain.abort_versions_activity,
        *maintain.discard_activities(),
        maintain.confirm_discarded_activity,
        upkeep.reap_batches_activity,
        upkeep.sweep_leftovers_activity,
        upkeep.collect_garbage_activity,
        upkeep.expire_staging_activity,
        *await _forget(settings, database, stores.participants(), stack),
        *_compare(settings, database, seen, stores.participants(), (stores.qdrant, stores.neo4j)),
    )


def _compare(
    settings: Settings,
    database: Database,
    upkeep: Upkeep,
    stores: Sequence[Store],
    projections: Sequence[Projection],
) -> Activities:
    from apex_memory.activities.comparing import Comparing
    from apex_memory.activities.rebuild import RebuildActivities
    from apex_memory.activities.reconcile import ReconcileActivities
    from apex_memory.pipeline.ledger.rebuilds import PostgresRebuilds
    from apex_memory.pipeline.stores.canon import PostgresCanon

    rebuilds = with_failpoints("rebuilds", PostgresRebuilds(database), settings.failpoints)
    comparing = Comparing(
        upkeep=upkeep,
        canon=with_failpoints("postgres", PostgresCanon(database), settings.failpoints),
        rebuilds=rebuilds,
        stores=stores,
        projections=projections,
        zombie_window_s=settings.zombie_window_s,
        sample_every=settings.reconcile_sample,
    )
    names = [store.name for store in stores]
    reconcile = ReconcileActivities(comparing=comparing, upkeep=upkeep, stores=names)
    rebuild = RebuildActivities(comparing=comparing, upkeep=upkeep, rebuilds=rebuilds)
    return (
        reconcile.reconcile_stores_activity,
        rebuild.begin_rebuild_activity,
        rebuild.rebuild_store_activity,
    )


async def _forget(
    settings: Settings, database: Database, stores: Sequence[Store], stack: AsyncExitStack
) -> Activities:
    from apex_memory.activities.forget import ForgetActivities
    from apex_memory.pipeline.ledger.forgettings import PostgresForgettings
    from apex_memory.pipeline.stores.registry import open_cache

    forget = ForgetActivities(
        forgettings=with_failpoints("forgettings", PostgresForgettings(database), settings.failpoints),
        stores=stores,
        staging=open_staging(settings),
        cache=await stack.enter_async_context(open_cache(settings)),
    )
    return (
        forget.condemn_versions_activity,
        *forget.erase_activities(),
        forget.erase_traces_activity,
        forget.count_traces_activity,
    )


_OPENED_BY: Final[Mapping[Queue, _Open]] = {
    Queue.STAGE: _stage,
    Queue.EXTRACT: _extract,
    Queue.EMBED: _embed,
    Queue.WRITE: _write,
    Queue.MAINTAIN: _maintain,
}
