"""A wish in, as the API takes it; its answer in, as JSON or for people, out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import orjson
import typer
from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

JSON: Final = {"Content-Type": "application/json"}


def as_body(wanted: Mapping[str, object]) -> dict[str, object]:
    """As httpx takes it; what is None is left out."""
    told = {name: value for name, value in wanted.items() if value is not None}
    return {"content": orjson.dumps(told), "headers": JSON}


def tell(answer: BaseModel, shown: Table | str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(answer.model_dump_json())
    else:
        Console(highlight=False, soft_wrap=True).print(shown)


def table(head: Sequence[str] | None, rows: Iterable[Sequence[object]]) -> Table:
    """Of two columns, if they have no names."""
    made = Table(*(head or ("", "")), box=None, show_header=head is not None)
    for row in rows:
        made.add_row(*(escape(str(cell)) for cell in row))
    return made
