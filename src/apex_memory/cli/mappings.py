"""Files with a mapping or a record in; what is declared, or made of a record, out: `apex mappings`."""

import asyncio
from typing import Annotated

import typer

from apex_memory.cli.failures import reported
from apex_memory.cli.options import AsJson

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="How the records of sources of your own are read.",
)

Source = Annotated[str, typer.Argument(help="The name of a source of yours, such as crm or web-shop.")]
MappingFile = Annotated[
    typer.FileBinaryRead, typer.Argument(metavar="MAPPING", help="A JSON file, or - for standard input.")
]
RecordFile = Annotated[
    typer.FileBinaryRead, typer.Argument(metavar="RECORD", help="A JSON file, or - for standard input.")
]


@app.command()
def put(source: Source, mapping: MappingFile) -> None:
    """Say how the records of a source are read, from now on.

    Examples: [cyan]apex mappings put web-shop mapping.json[/]   [cyan]apex mappings put web-shop -[/]
    """
    with reported():
        from apex_memory.cli import mappings_run

        asyncio.run(mappings_run.put(source, mapping.read()))


@app.command("list")
def list_mappings(*, as_json: AsJson = False) -> None:
    """Print which sources have a mapping.

    Examples: [cyan]apex mappings list[/]   [cyan]apex mappings list --json[/]
    """
    with reported():
        from apex_memory.cli import mappings_run

        asyncio.run(mappings_run.describe(as_json=as_json))


@app.command()
def show(source: Source) -> None:
    """Print a mapping as JSON, fit to be changed and put again.

    Examples: [cyan]apex mappings show web-shop[/]   [cyan]apex mappings show web-shop > mapping.json[/]
    """
    with reported():
        from apex_memory.cli import mappings_run

        asyncio.run(mappings_run.show(source))


@app.command()
def remove(source: Source) -> None:
    """From now on, keep records of this source as text. What is remembered already stays as it is.

    Examples: [cyan]apex mappings remove web-shop[/]
    """
    with reported():
        from apex_memory.cli import mappings_run

        asyncio.run(mappings_run.remove(source))


@app.command("try")
def try_mapping(mapping: MappingFile, record: RecordFile, *, as_json: AsJson = False) -> None:
    """Print what a mapping makes of a record, or where and why it cannot. Nothing is kept.

    Examples: [cyan]apex mappings try mapping.json record.json[/]
    [cyan]apex mappings show web-shop | apex mappings try - record.json[/]
    """
    with reported():
        from apex_memory.cli import mappings_run

        asyncio.run(mappings_run.preview(mapping.read(), record.read(), as_json=as_json))
