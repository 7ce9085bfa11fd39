"""Files and folders in, sent and followed until they can be found; a table of their outcomes out."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apex_memory.cli.board import Board
from apex_memory.cli.client import open_client
from apex_memory.cli.sending import Result, Sender
from apex_memory.cli.uploads import found_in
from apex_memory.settings import load_settings


async def send_all(paths: Sequence[Path], *, source: str | None) -> bool:
    """True: all of it was kept."""
    async with open_client() as client:
        await client.alive()
        things = list(found_in(paths, source=source))
        with Board(len(things)) as board:
            limit = load_settings().max_document_bytes
            sender = Sender(client, board, source=source, max_document_bytes=limit)
            results = await asyncio.gather(*(sender.send(thing) for thing in things))
    Console(highlight=False).print(_table(results))
    return all(result.kept for result in results)


def _table(results: Sequence[Result]) -> Table:
    """A line for each outcome, then one for each thing that was not kept, with its reason."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for outcome, count in Counter(result.outcome for result in results).most_common():
        table.add_row(f"[bold]{outcome}[/]", str(count))
    for result in results:
        if not result.kept:
            table.add_row(f"[red]{result.outcome}[/]", f"{escape(result.name)}: {escape(result.reason)}")
    return table
