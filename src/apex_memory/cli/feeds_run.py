"""What `apex feeds` asks for in, what the API answers to it, printed, out."""

from typing import Final
from urllib.parse import quote

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apex_memory.api.feed_models import FeedList
from apex_memory.cli.client import open_client
from apex_memory.domain.feeds import Feed

_PATH: Final = "/v1/feeds"


async def start(source: str, name: str, *, interval_s: int | None, as_json: bool) -> None:
    body = orjson.dumps({} if interval_s is None else {"interval_s": interval_s})
    headers = {"Content-Type": "application/json"}
    async with open_client() as client:
        answer = await client.ask("PUT", _of(source, name), content=body, headers=headers)
    feed = Feed.model_validate_json(answer.content)
    _tell(feed, f"{source} {name} is read every {feed.interval_s} s", as_json=as_json)


async def stop(source: str, name: str, *, as_json: bool) -> None:
    async with open_client() as client:
        answer = await client.ask("DELETE", _of(source, name))
    feed = Feed.model_validate_json(answer.content)
    _tell(feed, f"{source} {name} is stopped, after {feed.points} points", as_json=as_json)


async def describe(*, as_json: bool) -> None:
    async with open_client() as client:
        known = FeedList.model_validate_json((await client.ask("GET", _PATH)).content)
    if as_json:
        typer.echo(known.model_dump_json())
        return
    table = Table("feed", "", "every", "points", "last polled", "what is in its way", box=None)
    for feed in known.feeds:
        what = f"{feed.source} {feed.name}"
        state = "stopped" if feed.stopped_at else "wanted"
        last = "never" if feed.last_polled_at is None else f"{feed.last_polled_at:%Y-%m-%d %H:%M:%S}"
        cells = (what, state, f"{feed.interval_s} s", feed.points, last, feed.last_error or "")
        table.add_row(*(escape(str(cell)) for cell in cells))
    Console(highlight=False, soft_wrap=True).print(table)


def _of(source: str, name: str) -> str:
    return f"{_PATH}/{quote(source, safe='')}/{quote(name, safe='')}"


def _tell(feed: Feed, words: str, *, as_json: bool) -> None:
    typer.echo(feed.model_dump_json() if as_json else words)
