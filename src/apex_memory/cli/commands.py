"""The grammar of the command line in, the work done by modules that are imported only then."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from apex_memory.cli.failures import reported
from apex_memory.cli.options import AsJson
from apex_memory.domain.queues import Queue


def demo(
    *,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="New ids for everything, so that times can be taken again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Send three events and six documents, time how soon each can be found, and ask a question.

    Run again, everything is [cyan]unchanged[/]. Services may be killed meanwhile: it waits for them.

    Examples: [cyan]apex demo[/]   [cyan]apex demo --fresh --json[/]
    """
    with reported():
        from apex_memory.cli.demo import show

        asyncio.run(show(fresh=fresh, as_json=as_json))


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(exists=True, metavar="PATH…", help="Files and folders: .md, .txt, .json.")
    ],
    source: Annotated[
        str | None, typer.Option(help="Who sends them. JSON needs it: samsara, turvo or frontapp.")
    ] = None,
) -> None:
    """Send files through the API, and wait until they can be found.

    Ends with 1 if anything was not kept. The same content sent again is [cyan]unchanged[/].

    Examples: [cyan]apex ingest docs/[/]   [cyan]apex ingest shipments.json --source turvo[/]
    """
    with reported():
        from apex_memory.cli.ingest import send_all

        all_kept = asyncio.run(send_all(paths, source=source))
    if not all_kept:
        raise typer.Exit(1)


def search(
    query: Annotated[str, typer.Argument(help="A question, or words, names and numbers.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="At most so many passages.")] = 5,
    source: Annotated[
        list[str] | None, typer.Option(help="Only from this source; may be given more than once.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find passages that match, and facts that join them, all true at one moment.

    Examples: [cyan]apex search "where is TRUCK-6520?"[/]   [cyan]apex search dispatch --source frontapp[/]
    """
    with reported():
        from apex_memory.cli.search import ask

        asyncio.run(ask(query, limit=limit, sources=source or (), as_json=as_json))


def forget(
    item_id: Annotated[UUID | None, typer.Argument(help="As a hit or an ingestion named it.")] = None,
    source: Annotated[str | None, typer.Option(help="Who sent it; with --external-id.")] = None,
    external_id: Annotated[str | None, typer.Option(help="What they call it; with --source.")] = None,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until the receipt is there: longer than the zombie window.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Forget an item. No reader sees it when this answers; its text is then erased from every place.

    Ends with 1 if there is no such item. What derives from it goes with it.

    Examples: [cyan]apex forget a1bb5758-1526-5ba5-947f-a222b2545f8a --wait[/]
    [cyan]apex forget --source turvo --external-id SHIP-2025-10-19-002[/]
    """
    named = source is not None and external_id is not None
    if named == (item_id is not None) or (source is None) != (external_id is None):
        raise typer.BadParameter("name the item by its id, or by --source and --external-id")
    with reported():
        from apex_memory.cli.forget import forget_one

        asyncio.run(forget_one(item_id, source, external_id, wait=wait, as_json=as_json))


def status(
    ingestion_id: Annotated[UUID | None, typer.Argument(help="As the answer to a POST named it.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say whether the API can serve, and where things are; or how far one ingestion has come.

    Examples: [cyan]apex status[/]   [cyan]apex status 0b0a3c52-9d0c-4f6e-8f0e-3a2f6f6f5d11 --json[/]
    """
    with reported():
        from apex_memory.cli.status import describe

        asyncio.run(describe(ingestion_id, as_json=as_json))


def api(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8080,
) -> None:
    """Serve the HTTP API. On SIGTERM it finishes what is open, then closes.

    Example: [cyan]apex api --port 8080[/]
    """
    with reported():
        from apex_memory.api.serve import serve
        from apex_memory.settings import load_settings

        serve(load_settings(), host=host, port=port)


def relay() -> None:
    """Start a workflow for whatever waits in the inbox. Any number of relays may run.

    Example: [cyan]apex relay[/]
    """
    with reported():
        from apex_memory.relay import run_relay
        from apex_memory.settings import load_settings

        asyncio.run(run_relay(load_settings()))


def worker(
    queues: Annotated[
        list[Queue] | None,
        typer.Argument(metavar="[QUEUE]…", help="The queues to poll; all, if none is named."),
    ] = None,
) -> None:
    """Poll task queues. On SIGTERM running activities finish first. Any number of workers may run.

    Examples: [cyan]apex worker[/]   [cyan]apex worker embed write[/]
    """
    with reported():
        from apex_memory.settings import load_settings
        from apex_memory.worker import run_workers

        asyncio.run(run_workers(load_settings(), tuple(queues or Queue)))
