"""An ingestion's id in, how far it has come out; without one, whether the API can serve, and where."""

from typing import Any, Final
from uuid import UUID

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apex_memory.cli.client import open_client
from apex_memory.settings import load_settings

#: Whoever asks for the status wants to know now.
_PATIENCE_S: Final = 2.0


async def describe(ingestion_id: UUID | None, *, as_json: bool) -> None:
    described = await (_ingestion(ingestion_id) if ingestion_id else _whole())
    if as_json:
        typer.echo(orjson.dumps(described).decode())
    else:
        Console(highlight=False, soft_wrap=True).print(_table(described))


async def _ingestion(ingestion_id: UUID) -> dict[str, Any]:
    async with open_client(patience_s=_PATIENCE_S) as client:
        return (await client.ingestion(ingestion_id)).model_dump(mode="json")


async def _whole() -> dict[str, Any]:
    async with open_client() as client:
        readiness = await client.readiness()
    settings = load_settings()
    return {
        "status": readiness.status,
        "degraded": ", ".join(readiness.degraded) or None,
        "api": settings.api_url,
        "docs": f"{settings.api_url}/docs",
        "temporal_ui": settings.temporal_ui_url or None,
    }


def _table(described: dict[str, Any]) -> Table:
    table = Table(box=None, show_header=False)
    for name, value in described.items():
        if value is not None:
            table.add_row(f"[dim]{name}[/]", escape(str(value)))
    return table
