"""An item's id or name in, buried; its receipt out, if someone waits for it."""

import asyncio
from typing import Final
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apex_memory.api.models import ForgettingAccepted, ForgettingStatus
from apex_memory.cli.client import ApexClient, open_client
from apex_memory.domain.forgetting import ForgettingState

_LOOK_S: Final = 1.0
_SAID: Final = {
    ForgettingState.ERASING: "erasing it from every place",
    ForgettingState.WAITING: "nothing is left; waiting for late writers, then counting again",
    ForgettingState.DONE: "done",
}


async def forget_one(
    item_id: UUID | None, source: str | None, external_id: str | None, *, wait: bool, as_json: bool
) -> None:
    async with open_client() as client:
        accepted = await _asked(client, item_id, source, external_id)
        status = await (_receipt(client, accepted) if wait else client.forgetting(accepted.forget_id))
    if as_json:
        typer.echo(status.model_dump_json())
    else:
        Console(highlight=False, soft_wrap=True).print(_table(status))


async def _asked(
    client: ApexClient, item_id: UUID | None, source: str | None, external_id: str | None
) -> ForgettingAccepted:
    if item_id is not None:
        return await client.forget(item_id)
    return await client.forget_named(source or "", external_id or "")


async def _receipt(client: ApexClient, accepted: ForgettingAccepted) -> ForgettingStatus:
    """On standard error: standard output stays one table or one JSON object."""
    console = Console(stderr=True)
    with console.status("") as shown:
        while True:
            status = await client.forgetting(accepted.forget_id)
            shown.update(f"{_SAID[status.state]} ({accepted.forget_id})")
            if status.state is ForgettingState.DONE:
                return status
            await asyncio.sleep(_LOOK_S)


def _table(status: ForgettingStatus) -> Table:
    table = Table(box=None, show_header=False)
    told = {
        "item": status.item_id,
        "forgetting": status.forget_id,
        "state": f"{status.state}: {_SAID[status.state]}",
        "invisible since commit": status.seq,
        "requested": status.requested_at,
        "workflow": status.temporal_url,
        "completed": status.completed_at,
    }
    for name, value in told.items():
        if value is not None:
            table.add_row(f"[dim]{name}[/]", escape(str(value)))
    for name, census in (("first count", status.first_count), ("second count", status.second_count)):
        if census is not None:
            held = ", ".join(f"{place} {count}" for place, count in census.held.items())
            table.add_row(f"[dim]{name}[/]", f"{census.counted_at}: {escape(held)}")
    return table
