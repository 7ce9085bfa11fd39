"""A subcommand in, a running, stopped or examined development stack out: `apex dev`."""

import asyncio
import time
from contextlib import suppress
from typing import Annotated

import typer
from rich.console import Console

from apex_memory.cli.failures import reported
from apex_memory.settings import apex_home

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="The real services on this machine, without containers. All of it lives in `$APEX_HOME` (./.apex).",
)


@app.command()
def install() -> None:
    """Build or fetch what the stack needs, pinned. The only command that touches a registry; repeatable.

    Example: [cyan]apex dev install[/]
    """
    with reported():
        from apex_memory.devstack.install import install_step, steps
        from apex_memory.devstack.installation import Installation

        installation = Installation(apex_home())
        console = _console()
        for step in steps(installation):
            begun = time.monotonic()
            with console.status(f"{step.name} …"):
                entry = install_step(step, installation)
            took = f"{time.monotonic() - begun:6.1f} s"
            console.print(f"[green]✓[/] {entry.name:<14} {entry.version:<24} {took}  {entry.path}")


@app.command()
def up(
    only: Annotated[
        str, typer.Option(help="all, stores (with Temporal), or names with commas: postgres,redis")
    ] = "all",
) -> None:
    """Start everything that does not run yet, wait until it answers, print where it is. Repeatable.

    A service whose URL is in the environment (APEX_POSTGRES_URL, APEX_QDRANT_URL, APEX_NEO4J_URL,
    APEX_REDIS_URL, APEX_TEMPORAL_ADDRESS) is used and only checked.

    Examples: [cyan]apex dev up[/]   [cyan]apex dev up --only stores[/]
    """
    with reported():
        from apex_memory.devstack.display import Progress
        from apex_memory.devstack.stack import Stack

        stack = Stack(apex_home(), services=_names(only))
        console = _console()
        with console.status("starting") as spinner:
            asyncio.run(stack.up(observe=Progress(console, spinner).observe))
        for service in stack.state().services.values():
            for name, address in service.endpoints.items():
                console.print(f"  {name:<12} {address}")
        console.print(f"  {'Environment':<12} {stack.home.env_file}")


@app.command()
def down() -> None:
    """Stop everything in order; data and ports are kept. Repeatable.

    Example: [cyan]apex dev down[/]
    """
    with reported(), _console().status("stopping"):
        from apex_memory.devstack.stack import Stack

        asyncio.run(Stack(apex_home()).down())


@app.command()
def status() -> None:
    """Ask every service whether it answers. Ends with 1 if one does not.

    Example: [cyan]apex dev status[/]
    """
    with reported():
        from apex_memory.devstack.display import status_table
        from apex_memory.devstack.health import examine
        from apex_memory.devstack.stack import Stack

        stack = Stack(apex_home())
        if not stack.state().running:
            _console().print("The stack does not run. Start it with [cyan]apex dev up[/].")
            raise typer.Exit(1)
        healths = asyncio.run(examine(stack))
        _console().print(status_table(healths))
    if not all(health.healthy for health in healths):
        raise typer.Exit(1)


@app.command()
def logs(
    service: Annotated[str, typer.Argument(help="A service, or supervisor; all, if absent.")] = "",
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of each log.")] = 40,
) -> None:
    """Print the end of the logs.

    Examples: [cyan]apex dev logs neo4j -f[/]   [cyan]apex dev logs -n 5[/]
    """
    from apex_memory.devstack.home import Home
    from apex_memory.devstack.tail import tail

    home = Home(apex_home())
    files = [home.log(service)] if service else sorted(home.logs.glob("*.log"))
    if service and not files[0].exists():
        there_are = ", ".join(sorted(file.stem for file in home.logs.glob("*.log"))) or "none"
        raise typer.BadParameter(f"there is no log of {service!r}; there are: {there_are}")

    async def show() -> None:
        async for name, line in tail(files, lines=lines, follow=follow):
            typer.echo(line if service else f"{name:<18} {line}")

    with suppress(KeyboardInterrupt):
        asyncio.run(show())


@app.command()
def doctor() -> None:
    """Look at programs, disk, memory, ports, services; say what to do. Ends with 1 if there is something.

    Example: [cyan]apex dev doctor[/]
    """
    with reported():
        from apex_memory.devstack.display import findings_table
        from apex_memory.devstack.doctor import diagnose
        from apex_memory.devstack.stack import Stack

        findings = asyncio.run(diagnose(Stack(apex_home())))
        _console().print(findings_table(findings))
    if any(finding.remedy for finding in findings):
        raise typer.Exit(1)


@app.command()
def reset(
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop everything and delete all data; installed programs stay.

    Example: [cyan]apex dev reset --yes[/]
    """
    if not yes:
        typer.confirm(f"Delete all data in {apex_home()}?", abort=True)
    with reported(), _console().status("stopping and deleting"):
        from apex_memory.devstack.stack import Stack

        asyncio.run(Stack(apex_home()).reset())


def _names(only: str) -> tuple[str, ...]:
    from apex_memory.devstack.catalogue import ALL, STORES

    names = {"all": ALL, "stores": STORES}.get(only) or tuple(only.split(","))
    unknown = [name for name in names if name not in ALL]
    if unknown:
        raise typer.BadParameter(f"there is no {', '.join(unknown)}; there are: {', '.join(ALL)}")
    return names


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
