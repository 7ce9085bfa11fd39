"""A question in, the passages and facts that answer it on a terminal, or as JSON, out."""

from collections.abc import Sequence
from typing import Final

import typer
from rich.console import Console

from apex_memory.cli.client import open_client
from apex_memory.cli.pages import facts_table, hits_table
from apex_memory.domain.answers import SearchAnswer

_PATIENCE_S: Final = 10.0
_FACTS_SHOWN: Final = 12


async def ask(query: str, *, limit: int, sources: Sequence[str], as_json: bool) -> None:
    async with open_client(patience_s=_PATIENCE_S) as client:
        answer = await client.search(query, limit=limit, sources=sources)
    if as_json:
        typer.echo(answer.model_dump_json())
    else:
        _print(answer)


def _print(answer: SearchAnswer) -> None:
    console = Console(highlight=False)
    console.print(hits_table(answer.hits) if answer.hits else "Nothing matches.")
    if answer.facts:
        console.print(facts_table(answer.facts[:_FACTS_SHOWN]))
    if answer.missing:
        console.print(f"[yellow]incomplete:[/] no answer in time from {', '.join(answer.missing)}")
