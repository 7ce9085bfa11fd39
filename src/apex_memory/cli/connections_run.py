"""What `apex connections` asks for in, what the API answers to it, printed, out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import typer
from rich.table import Table

from apex_memory.api.connections import ConnectionList
from apex_memory.cli.answers import as_body, table, tell
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
    wanted = {"credentials": credentials, "base_url": base_url}
    async with open_client() as client:
        answer = await client.ask("PUT", _of(source), **as_body(wanted))
    made = Connection.model_validate_json(answer.content)
    tell(made, _table([made]), as_json=as_json)


async def describe(*, as_json: bool) -> None:
    async with open_client() as client:
        known = ConnectionList.model_validate_json((await client.ask("GET", _PATH)).content)
    tell(known, _table(known.connections), as_json=as_json)


async def remove(source: str) -> None:
    async with open_client() as client:
        await client.once("DELETE", _of(source))
    typer.echo(f"{source} is not connected any more")


def _of(source: str) -> str:
    return f"{_PATH}/{quote(source, safe='')}"


def _table(connections: Iterable[Connection]) -> Table:
    rows = ((each.source, each.base_url, each.created_at, each.updated_at) for each in connections)
    return table(("source", "url", "since", "changed"), rows)
