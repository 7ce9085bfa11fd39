"""What `apex connections` asks for in, what the API answers to it, printed, out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apex_memory.api.connections import ConnectionList
from apex_memory.cli.client import open_client
from apex_memory.domain.connections import Connection
from apex_memory.pipeline.intake.accounts import CREDENTIALS_OF

_PATH: Final = "/v1/connections"


def credentials_of(source: str) -> Sequence[str]:
    """The names of what an account there is opened with."""
    if source not in CREDENTIALS_OF:
        raise typer.BadParameter(f"no such source has an API that is asked: {', '.join(CREDENTIALS_OF)}")
    return tuple(CREDENTIALS_OF[source].model_fields)


async def put(source: str, base_url: str | None, credentials: Mapping[str, str], *, as_json: bool) -> None:
    wanted = {"credentials": credentials, **({"base_url": base_url} if base_url else {})}
    headers = {"Content-Type": "application/json"}
    async with open_client() as client:
        answer = await client.ask("PUT", _of(source), content=orjson.dumps(wanted), headers=headers)
    made = Connection.model_validate_json(answer.content)
    _print([made], answer.text if as_json else None)


async def describe(*, as_json: bool) -> None:
    async with open_client() as client:
        answer = await client.ask("GET", _PATH)
    known = ConnectionList.model_validate_json(answer.content)
    _print(known.connections, answer.text if as_json else None)


async def remove(source: str) -> None:
    async with open_client() as client:
        await client.once("DELETE", _of(source))
    typer.echo(f"{source} is not connected any more")


def _of(source: str) -> str:
    return f"{_PATH}/{quote(source, safe='')}"


def _print(connections: Iterable[Connection], as_json: str | None) -> None:
    if as_json:
        typer.echo(as_json)
        return
    table = Table("source", "url", "since", "changed", box=None)
    for each in connections:
        cells = (each.source, each.base_url, each.created_at, each.updated_at)
        table.add_row(*(escape(str(cell)) for cell in cells))
    Console(highlight=False, soft_wrap=True).print(table)
