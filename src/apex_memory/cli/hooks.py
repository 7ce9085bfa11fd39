"""A wish for a webhook endpoint in; its URL and secret, what came to it, or its replay out: `apex hooks`."""

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

import typer

from apex_memory.cli.failures import reported
from apex_memory.cli.options import AsJson

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Where other systems push their events to, and what they pushed.",
)

#: Not an argument: those are in the shell's history, and in what `ps` shows to everybody.
SecretStdin = Annotated[
    bool, typer.Option("--secret-stdin", help="The sender's own secret is on standard input.")
]
EndpointId = Annotated[str, typer.Argument(metavar="ENDPOINT", help="As `apex hooks list` names it.")]


@app.command()
def create(
    source: Annotated[str, typer.Argument(help="Whose: samsara, turvo, frontapp, or a name of your own.")],
    label: Annotated[str, typer.Option(help="What people call it.")] = "",
    scheme: Annotated[
        str | None, typer.Option(help="How deliveries prove themselves; without it, as this source does.")
    ] = None,
    *,
    secret_stdin: SecretStdin = False,
    as_json: AsJson = False,
) -> None:
    """Make an endpoint, and print the URL and the secret that go into the sender's settings.

    The secret is shown now and never again.

    Examples: [cyan]apex hooks create samsara --label "fleet"[/]
    [cyan]apex hooks create frontapp --scheme front_rule --secret-stdin < secret.txt[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        secret = _read() if secret_stdin else None
        asyncio.run(hooks_run.create(source, label or source, scheme=scheme, secret=secret, as_json=as_json))


@app.command("list")
def list_endpoints(*, as_json: AsJson = False) -> None:
    """Print the endpoints; not their secrets.

    Examples: [cyan]apex hooks list[/]   [cyan]apex hooks list --json[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        asyncio.run(hooks_run.describe(as_json=as_json))


@app.command()
def rotate(
    endpoint_id: EndpointId,
    overlap: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="How long the one before stays good.")
    ] = 86_400,
    *,
    secret_stdin: SecretStdin = False,
    as_json: AsJson = False,
) -> None:
    """Give an endpoint a new secret. Until the overlap is over, both are good: no delivery is lost.

    Examples: [cyan]apex hooks rotate 3f9k…[/]   [cyan]apex hooks rotate 3f9k… --overlap 0[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        secret = _read() if secret_stdin else None
        asyncio.run(hooks_run.rotate(endpoint_id, secret=secret, overlap_s=overlap, as_json=as_json))


@app.command()
def disable(endpoint_id: EndpointId) -> None:
    """Answer deliveries with 410 from now on. What was taken in stays.

    Examples: [cyan]apex hooks disable 3f9k…[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        asyncio.run(hooks_run.enable(endpoint_id, enabled=False))


@app.command()
def enable(endpoint_id: EndpointId) -> None:
    """Take deliveries in again.

    Examples: [cyan]apex hooks enable 3f9k…[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        asyncio.run(hooks_run.enable(endpoint_id, enabled=True))


@app.command()
def ping(endpoint_id: EndpointId, *, as_json: AsJson = False) -> None:
    """Try an endpoint out: a test message, signed as its sender would, goes the way of every delivery.

    Examples: [cyan]apex hooks ping 3f9k…[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        asyncio.run(hooks_run.ping(endpoint_id, as_json=as_json))


@app.command()
def deliveries(
    endpoint_id: EndpointId,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most so many, the newest first.")] = 20,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that were given up.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what came to an endpoint and became of it.

    Examples: [cyan]apex hooks deliveries 3f9k…[/]   [cyan]apex hooks deliveries 3f9k… --failed[/]
    """
    with reported():
        from apex_memory.cli import hooks_run

        asyncio.run(hooks_run.deliveries(endpoint_id, failed=failed, limit=limit, as_json=as_json))


@app.command()
def replay(
    endpoint_id: EndpointId,
    event: Annotated[list[UUID] | None, typer.Option(help="This event; may be given more than once.")] = None,
    since: Annotated[datetime | None, typer.Option(help="Received at or after this time, UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="Received before this time, UTC.")] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="What was given up and not mended since.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take deliveries in once more, as they came and with their old times. All that is given must hold.

    Examples: [cyan]apex hooks replay 3f9k… --failed --dry-run[/]
    [cyan]apex hooks replay 3f9k… --since 2026-11-01T00:00:00 --until 2026-11-02T00:00:00[/]
    """
    if not (event or since or until or failed):
        raise typer.BadParameter("say which: --event, --since, --until or --failed")
    with reported():
        from apex_memory.cli import hooks_run

        asyncio.run(
            hooks_run.replay(
                endpoint_id, event or (), since, until, failed=failed, dry_run=dry_run, as_json=as_json
            )
        )


def _read() -> str:
    return typer.get_text_stream("stdin").readline().strip()
