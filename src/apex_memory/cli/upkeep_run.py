"""A kind of upkeep in, its workflow's figures out; what it waits for is shown meanwhile."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from temporalio.client import Client, WorkflowExecutionDescription, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.schedules import SCHEDULED, schedule_id
from apex_memory.cli.failures import ending_named
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.settings import Settings, load_settings
from apex_memory.workflows.attributes import TENANT_ID

_LOOK_S: Final = 1.0
_QUERY: Final = timedelta(seconds=1)


async def run_now(name: str, *, tenant_id: str | None, as_json: bool) -> bool:
    """Start, wait, print. True: some of it failed and is left to the next run."""
    settings = load_settings()
    with ending_named(name):
        handle = await _start(await connect_temporal(settings), settings, name, tenant_id)
        console = Console(stderr=True, highlight=False, soft_wrap=True)
        with console.status(f"{escape(handle.id)} …") as shown:
            figures = await _result(handle, shown)
    if as_json:
        typer.echo(figures.model_dump_json())
    else:
        Console(highlight=False, soft_wrap=True).print(_table(figures))
    return figures.failed > 0


async def _start(
    temporal: Client, settings: Settings, name: str, tenant_id: str | None
) -> WorkflowHandle[Any, UpkeepFigures]:
    [kind] = [kind for kind in SCHEDULED if kind.name == name]
    return await temporal.start_workflow(
        kind.workflow.__name__,
        UpkeepRun(tenant_id=tenant_id),
        id=f"{schedule_id(kind, settings)}:by-hand:{uuid4().hex[:12]}",
        task_queue=Queue.WORKFLOWS.named(settings.queue_prefix),
        result_type=UpkeepFigures,
        static_summary=f"upkeep: {name}, {tenant_id or 'all tenants'}, by hand",
        search_attributes=TypedSearchAttributes(
            [SearchAttributePair(TENANT_ID, tenant_id)] if tenant_id else []
        ),
    )


async def _result(handle: WorkflowHandle[Any, UpkeepFigures], shown: Status) -> UpkeepFigures:
    result = asyncio.create_task(handle.result())
    try:
        while not result.done():
            await asyncio.wait([result], timeout=_LOOK_S)
            if not result.done():
                words = (handle.id, await _so_far(handle), _at(await handle.describe()))
                shown.update(escape(", ".join(filter(None, words))))
    finally:
        result.cancel()
    return result.result()


async def _so_far(handle: WorkflowHandle[Any, UpkeepFigures]) -> str:
    """The figures, if a worker is there to tell them."""
    with suppress(RPCError):
        figures = await handle.query("progress", result_type=UpkeepFigures, rpc_timeout=_QUERY)
        return ", ".join(f"{number} {name}" for name, number in _named(figures) if number)
    return ""


def _at(described: WorkflowExecutionDescription) -> str:
    """What it is at, and why that does not go on."""
    pending = described.raw_description.pending_activities
    if not pending:
        return "waits for a worker of the workflows queue"
    [activity, *_] = pending
    words = [activity.activity_type.name, f"attempt {activity.attempt}"]
    if activity.HasField("last_failure"):
        words.append(activity.last_failure.message)
    return ", ".join(words)


def _table(figures: UpkeepFigures) -> Table:
    table = Table(box=None, show_header=False)
    for name, number in _named(figures):
        table.add_row(f"[dim]{name}[/]", str(number))
    return table


def _named(figures: UpkeepFigures) -> list[tuple[str, int]]:
    return [(name.replace("_", " "), number) for name, number in figures.model_dump().items()]
