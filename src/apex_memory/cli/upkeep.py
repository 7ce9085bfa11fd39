"""A kind of upkeep in, its run and figures out; or all that waits for the upkeep: `apex upkeep`."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from apex_memory.cli.failures import reported

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="What cleans up behind the workflows. All of it runs by schedule; nothing here is needed daily.",
)


class Kind(StrEnum):
    """What can be run; a test compares this with what is scheduled."""

    REAP = "reap"
    SWEEP = "sweep"
    COLLECT = "collect"
    RECONCILE = "reconcile"
    EXPIRE_STAGING = "expire-staging"


@app.command()
def run(
    kind: Annotated[Kind, typer.Argument(help="The kind of upkeep.")],
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's; without it, everybody's.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Run one kind of upkeep now, beside its schedule, and print what it came to.

    [cyan]reap[/] takes back what terminated workflows left open. [cyan]sweep[/] discards aborted versions.
    [cyan]collect[/] deletes versions that nobody sees any more. [cyan]reconcile[/] compares every store with
    the ledger and puts it right. [cyan]expire-staging[/] removes old folders.
    Ends with 1 if something failed; the logs of the maintain worker say what. Ctrl-C ends the waiting only.

    Examples: [cyan]apex upkeep run reap[/]   [cyan]apex upkeep run collect --tenant demo --json[/]
    """
    with reported():
        from apex_memory.cli.upkeep_run import run_now

        failed = asyncio.run(run_now(kind, tenant_id=tenant, as_json=as_json))
    if failed:
        raise typer.Exit(1)


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Print what waits for the upkeep and since when, each store's last reconciliation, and the schedules.

    Examples: [cyan]apex upkeep status[/]   [cyan]apex upkeep status --json[/]
    """
    with reported():
        from apex_memory.cli.upkeep_status import describe

        asyncio.run(describe(as_json=as_json))
