"""A wish for a feed of a source in; that it is read, and how far it was, out: `apex feeds`."""

import asyncio
from typing import Annotated

import typer

from apex_memory.cli.failures import reported
from apex_memory.cli.options import AsJson

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="What is read from sources that do not push it.",
)

Source = Annotated[str, typer.Argument(help="Whose feed: samsara.")]
Name = Annotated[str, typer.Argument(help="Which one: gps.")]


@app.command()
def start(
    source: Source,
    name: Name,
    interval: Annotated[
        int | None,
        typer.Option(min=1, metavar="SECONDS", help="Between two polls; without it, the source's least."),
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Have a feed read from now on, or at another interval. One that was stopped goes on where it was.

    Examples: [cyan]apex feeds start samsara gps[/]   [cyan]apex feeds start samsara gps --interval 30[/]
    """
    with reported():
        from apex_memory.cli import feeds_run

        asyncio.run(feeds_run.start(source, name, interval_s=interval, as_json=as_json))


@app.command("list")
def list_feeds(*, as_json: AsJson = False) -> None:
    """Print the feeds: when each was polled last, how much it brought, and what is in its way.

    Examples: [cyan]apex feeds list[/]   [cyan]apex feeds list --json[/]
    """
    with reported():
        from apex_memory.cli import feeds_run

        asyncio.run(feeds_run.describe(as_json=as_json))


@app.command()
def stop(source: Source, name: Name, *, as_json: AsJson = False) -> None:
    """Take nothing more in. What was taken in stays.

    Examples: [cyan]apex feeds stop samsara gps[/]
    """
    with reported():
        from apex_memory.cli import feeds_run

        asyncio.run(feeds_run.stop(source, name, as_json=as_json))
