"""What `apex mappings` asks for in, what the API answers to it, printed, out."""

from typing import Final
from urllib.parse import quote

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from apex_memory.api.mappings import MappingList, Preview
from apex_memory.cli.answers import JSON, table, tell
from apex_memory.cli.client import open_client
from apex_memory.domain.mappings import DeclaredMapping

_PATH: Final = "/v1/mappings"


async def put(source: str, mapping: bytes) -> None:
    async with open_client() as client:
        await client.ask("PUT", _of(source), content=mapping, headers=JSON)
    typer.echo(f"records of {source} are read by this mapping from now on")


async def describe(*, as_json: bool) -> None:
    async with open_client() as client:
        known = MappingList.model_validate_json((await client.ask("GET", _PATH)).content)
    rows = ((each.source, f"{each.updated_at:%Y-%m-%d %H:%M:%S %Z}") for each in known.mappings)
    tell(known, table(("source", "changed"), rows), as_json=as_json)


async def show(source: str) -> None:
    async with open_client() as client:
        declared = DeclaredMapping.model_validate_json((await client.ask("GET", _of(source))).content)
    typer.echo(declared.mapping.model_dump_json(exclude_defaults=True, indent=2))


async def remove(source: str) -> None:
    async with open_client() as client:
        await client.ask("DELETE", _of(source))
    typer.echo(f"records of {source} are kept as text from now on")


async def preview(mapping: bytes, record: bytes, *, as_json: bool) -> None:
    for name, given in (("MAPPING", mapping), ("RECORD", record)):
        _check(name, given)
    # Their own bytes: what is read and written again may lose numbers beyond 64 bits.
    body = b'{"mapping":' + mapping + b',"record":' + record + b"}"
    async with open_client() as client:
        answer = await client.ask("POST", f"{_PATH}/preview", content=body, headers=JSON)
    made = Preview.model_validate_json(answer.content)
    tell(made, told(made), as_json=as_json)


def told(made: Preview) -> Table:
    """A line for the record, each entity, claim and sample, then the text."""
    lines = Table(box=None, show_header=False, pad_edge=False)
    rows = [("id", made.external_id), ("title", made.title), ("as of", made.as_of.isoformat())]
    rows += [("entity", f"{m.entity.type} {m.entity.key}: {m.name}") for m in made.entities]
    rows += [("claim", claim.fact) for claim in made.claims]
    rows += [("sample", f"{s.entity.key} {s.metric} {s.value} at {s.at.isoformat()}") for s in made.samples]
    for what, said in (*rows, ("text", made.text)):
        lines.add_row(f"[bold]{what}[/]", escape(said))
    return lines


def _check(name: str, given: bytes) -> None:
    try:
        orjson.loads(given)
    except orjson.JSONDecodeError as exc:
        raise typer.BadParameter(f"{name} is not JSON: {exc}") from None


def _of(source: str) -> str:
    return f"{_PATH}/{quote(source, safe='')}"
