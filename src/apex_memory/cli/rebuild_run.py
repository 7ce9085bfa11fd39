"""A store to rebuild in, its workflow's end out; a bar shows how many versions are written."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.cli.failures import ending_named
from apex_memory.domain.queues import Queue
from apex_memory.domain.reconciling import RebuildRun
from apex_memory.settings import Settings, load_settings
from apex_memory.workflows.attributes import TENANT_ID
from apex_memory.workflows.rebuild import RebuildWorkflow

_LOOK_S: Final = 0.5
_ANSWER_WITHIN: Final = timedelta(seconds=2)


async def run(store: str, *, tenant_id: str | None, as_json: bool) -> bool:
    """Start or join, wait, print. False: a difference is left."""
    settings = load_settings()
    with ending_named("rebuild"):
        handle = await start_rebuild(await connect_temporal(settings), settings, store, tenant_id)
        ended = await _shown(handle)
    if as_json:
        typer.echo(ended.model_dump_json(include={"store", "tenant_id", "written", "differences"}))
    else:
        found = ", ".join(f"{number} {name}" for name, number in ended.differences)
        Console(highlight=False, soft_wrap=True).print(
            f"{ended.written} versions written to {escape(ended.store)}; then compared: {found}"
        )
    return ended.differences.found == ended.differences.mended


async def start_rebuild(
    temporal: Client, settings: Settings, store: str, tenant_id: str | None
) -> WorkflowHandle[RebuildWorkflow, RebuildRun]:
    """Of one store and tenant there is one rebuild at a time: whoever asks again joins it."""
    named = [SearchAttributePair(TENANT_ID, tenant_id)] if tenant_id else []
    return await temporal.start_workflow(
        RebuildWorkflow.run,
        RebuildRun(store=store, tenant_id=tenant_id),
        id=":".join(filter(None, (settings.queue_prefix, "rebuild", store, tenant_id))),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_queue=Queue.WORKFLOWS.named(settings.queue_prefix),
        static_summary=f"rebuild: {store}, {tenant_id or 'all tenants'}",
        search_attributes=TypedSearchAttributes(named),
    )


async def _shown(handle: WorkflowHandle[Any, RebuildRun]) -> RebuildRun:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    result = asyncio.create_task(handle.result())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task("waiting for a worker", total=None)
            while not result.done():
                # Nobody answers while no worker runs; the rebuild waits as well.
                with suppress(RPCError):
                    at = await handle.query(RebuildWorkflow.progress, rpc_timeout=_ANSWER_WITHIN)
                    doing = "comparing" if at.comparison else "writing"
                    progress.update(
                        bar, description=doing, completed=at.written, total=max(at.total, at.written) or None
                    )
                await asyncio.wait([result], timeout=_LOOK_S)
    finally:
        result.cancel()
    return result.result()
