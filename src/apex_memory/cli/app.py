"""The commands of `apex`, put together."""

import typer

from apex_memory.cli import commands, connections, dev, feeds, hooks, mappings, upkeep
from apex_memory.cli.rebuild import rebuild
from apex_memory.process import run_to_its_end

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals hold keys and records
    help="A memory that never half-remembers. Start with [cyan]apex dev up[/], then [cyan]apex demo[/].",
)

for command in (commands.demo, commands.ingest, commands.search, commands.status, commands.forget):
    app.command(rich_help_panel="Use it")(command)
for command in (commands.api, commands.relay, commands.worker):
    app.command(rich_help_panel="Run a part of it")(command)
app.command(rich_help_panel="Run a part of it")(rebuild)
app.add_typer(hooks.app, name="hooks", rich_help_panel="Use it")
app.add_typer(connections.app, name="connections", rich_help_panel="Use it")
app.add_typer(feeds.app, name="feeds", rich_help_panel="Use it")
app.add_typer(mappings.app, name="mappings", rich_help_panel="Use it")
app.add_typer(dev.app, name="dev", rich_help_panel="Run a part of it")
app.add_typer(upkeep.app, name="upkeep", rich_help_panel="Run a part of it")


def main() -> None:
    """What `apex` runs."""
    run_to_its_end(lambda: app(prog_name="apex"))
