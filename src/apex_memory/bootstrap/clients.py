"""Settings in, the clients that several processes use out."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from apex_memory.database import Database
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.failpoints import with_failpoints
from apex_memory.observability import temporal_runtime
from apex_memory.pipeline.embedding.registry import make_embedder
from apex_memory.pipeline.intake.space import claim_embedding_space
from apex_memory.pipeline.staging.local import LocalStaging
from apex_memory.ports import Chunker, Connections, Embedder, SourceApi, StagingArea
from apex_memory.settings import Settings

#: Bundles and vectors of a document are larger than the document.
_STAGED_PER_DOCUMENT = 8


async def connect_temporal(settings: Settings, *, lazy: bool = False) -> Client:
    """`lazy`: connect at the first call, so as to start while Temporal is down. Raises StoreUnavailable."""
    try:
        return await Client.connect(
            settings.temporal_address,
            namespace=settings.temporal_namespace,
            data_converter=pydantic_data_converter,
            runtime=temporal_runtime(settings.metrics_address),
            lazy=lazy,
        )
    except (RPCError, RuntimeError) as exc:
        raise StoreUnavailable("temporal", str(exc)) from exc


@asynccontextmanager
async def open_embedder(settings: Settings, database: Database) -> AsyncGenerator[Embedder, None]:
    """The configured embedder, once it is known to be the one that made the stored vectors.

    Raises:
        EmbedderMismatch: the data was embedded by another model than the configured one.
    """
    key = settings.openai_api_key
    embedder = make_embedder(
        openai_api_key=key.get_secret_value() if key else None,
        openai_base_url=settings.openai_base_url,
        openai_model=settings.openai_embedding_model,
        openai_dim=settings.openai_embedding_dim,
        model_dir=settings.embed_model_dir,
        threads=settings.embed_threads,
    )
    try:
        await claim_embedding_space(database, embedder_id=embedder.id, dim=embedder.dim)
        yield with_failpoints("embedder", embedder, settings.failpoints)
    finally:
        await embedder.aclose()


def open_connections(settings: Settings, database: Database) -> Connections:
    from apex_memory.pipeline.intake.connections import PostgresConnections
    from apex_memory.pipeline.intake.seal import seal_of

    return with_failpoints(
        "connections", PostgresConnections(database, seal_of(settings)), settings.failpoints
    )


@asynccontextmanager
async def open_sources(settings: Settings, database: Database) -> AsyncGenerator[SourceApi, None]:
    """Sources' own APIs. Raises SettingMissing: the setting that lists more of their URLs is malformed."""
    from apex_memory.pipeline.intake.accounts import bases_with
    from apex_memory.pipeline.intake.source_api import open_source_api

    connections = open_connections(settings, database)
    async with open_source_api(connections, bases_with(settings.source_api_urls)) as api:
        yield with_failpoints("sources", api, settings.failpoints)


def open_staging(settings: Settings) -> StagingArea:
    staging = LocalStaging(settings.staging_dir, max_bytes=_STAGED_PER_DOCUMENT * settings.max_document_bytes)
    return with_failpoints("staging", staging, settings.failpoints)


def open_chunker(settings: Settings) -> Chunker:
    """Passages are counted in the local model's tokens, the smallest limit of all embedders."""
    from apex_memory.pipeline.embedding.model_files import locate_model
    from apex_memory.pipeline.embedding.tokenizer import WordPieceCounter
    from apex_memory.pipeline.parsing.chunking import HeadingChunker

    return HeadingChunker(WordPieceCounter.load(locate_model(settings.embed_model_dir)))
