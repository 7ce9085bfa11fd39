"""Three events and six documents in; how soon each was found, and an answer that joins them, out."""

import orjson
import typer

from apex_memory.cli.board import Board
from apex_memory.cli.client import open_client
from apex_memory.cli.demo_items import demonstration
from apex_memory.cli.demo_page import print_report, report_as_json
from apex_memory.cli.demo_run import run_demo
from apex_memory.settings import load_settings


async def show(*, fresh: bool, as_json: bool) -> None:
    """Raises NotFindable, ApiUnavailable, ApiRefused, SettingMissing."""
    demo = demonstration(fresh=fresh)
    async with open_client() as client:
        await client.alive()
        with Board(len(demo.items)) as board:
            report = await run_demo(client, demo, board)
    docs_url = f"{load_settings().api_url}/docs"
    if as_json:
        typer.echo(orjson.dumps(report_as_json(report, docs_url=docs_url)).decode())
    else:
        print_report(report, docs_url=docs_url)
