"""A source and an account there in; the connection, or those that there are, out: `apex connections`."""

import asyncio
from typing import Annotated, Final

import typer

from apex_memory.cli.failures import reported
from apex_memory.cli.options import AsJson

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Accounts at sources, with which what their webhooks leave out is fetched.",
)

Source = Annotated[str, typer.Argument(help="Whose API: samsara, turvo or frontapp.")]
#: What may be shown while it is typed.
_OPEN: Final = frozenset({"username", "client_id"})


@app.command("set")
def set_connection(
    source: Source,
    base_url: Annotated[
        str | None, typer.Option(help="Where its API is, such as Samsara's in Europe.")
    ] = None,
    username: Annotated[str | None, typer.Option(help="Of Turvo's API profile.")] = None,
    client_id: Annotated[str | None, typer.Option(help="Of Turvo's API profile.")] = None,
    *,
    # Not options of their own: those are in the shell's history, and in what `ps` shows to everybody.
    secrets_stdin: Annotated[
        bool,
        typer.Option(
            "--secrets-stdin",
            help="The secrets are on standard input, one a line: token; or password, client_secret, api_key.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Connect an account, or mend its credentials. What is not given is asked for; secrets are not shown.

    Examples: [cyan]apex connections set samsara --secrets-stdin < token.txt[/]
    [cyan]apex connections set turvo --username ops@acme.example --client-id publicapi[/]
    """
    with reported():
        from apex_memory.cli import connections_run

        given = {"username": username, "client_id": client_id}
        credentials: dict[str, str] = {}
        for name in connections_run.credentials_of(source):
            if told := given.get(name):
                credentials[name] = told
            elif secrets_stdin and name not in _OPEN:
                credentials[name] = typer.get_text_stream("stdin").readline().strip()
            else:
                credentials[name] = typer.prompt(name, hide_input=name not in _OPEN, err=True)
        asyncio.run(connections_run.put(source, base_url, credentials, as_json=as_json))


@app.command("list")
def list_connections(*, as_json: AsJson = False) -> None:
    """Print the connections; not their credentials.

    Examples: [cyan]apex connections list[/]   [cyan]apex connections list --json[/]
    """
    with reported():
        from apex_memory.cli import connections_run

        asyncio.run(connections_run.describe(as_json=as_json))


@app.command()
def remove(source: Source) -> None:
    """Forget the credentials of an account. Thin deliveries are mapped as they are from now on.

    Examples: [cyan]apex connections remove samsara[/]
    """
    with reported():
        from apex_memory.cli import connections_run

        asyncio.run(connections_run.remove(source))
