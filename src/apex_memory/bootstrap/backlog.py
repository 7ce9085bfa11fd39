"""Settings in, what waits for the upkeep as gauges beside the SDK's own metrics out."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog

from apex_memory.database import open_database
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.upkeep import Backlog
from apex_memory.observability import temporal_runtime
from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep
from apex_memory.process import beside
from apex_memory.settings import Settings

_EVERY_S: Final = 15.0

log = structlog.get_logger()


@asynccontextmanager
async def showing_backlog(settings: Settings) -> AsyncGenerator[None, None]:
    """Beside the body, and only where metrics are served: ages grow also while the upkeep itself is dead."""
    async with AsyncExitStack() as stack:
        if settings.metrics_address:
            database = await stack.enter_async_context(open_database(settings.postgres_url, max_size=1))
            await stack.enter_async_context(beside(_show(PostgresUpkeep(database), settings), name="backlog"))
        yield


async def _show(upkeep: PostgresUpkeep, settings: Settings) -> None:
    meter = temporal_runtime(settings.metrics_address).metric_meter
    gauges = {name: meter.create_gauge_float(f"apex_upkeep_{name}") for name in Backlog.model_fields}
    while True:
        try:
            backlog = await upkeep.backlog(open_longer_than_s=settings.reap_after_s)
            for name, gauge in gauges.items():
                gauge.set(float(getattr(backlog, name)))
        except StoreUnavailable as exc:
            log.warning("backlog.unknown", reason=str(exc))
        await asyncio.sleep(_EVERY_S)
