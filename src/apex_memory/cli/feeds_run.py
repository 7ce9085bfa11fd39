"""What `apex feeds` asks for in, what the API answers to it, printed, out."""

from typing import Final
from urllib.parse import quote

from apex_memory.api.feed_models import FeedList
from apex_memory.cli.answers import as_body, table, tell
from apex_memory.cli.client import open_client
from apex_memory.domain.feeds import Feed

_PATH: Final = "/v1/feeds"


async def start(source: str, name: str, *, interval_s: int | None, as_json: bool) -> None:
    async with open_client() as client:
        answer = await client.ask("PUT", _of(source, name), **as_body({"interval_s": interval_s}))
    feed = Feed.model_validate_json(answer.content)
    tell(feed, f"{source} {name} is read every {feed.interval_s} s", as_json=as_json)


async def stop(source: str, name: str, *, as_json: bool) -> None:
    async with open_client() as client:
        answer = await client.ask("DELETE", _of(source, name))
    feed = Feed.model_validate_json(answer.content)
    tell(feed, f"{source} {name} is stopped, after {feed.points} points", as_json=as_json)


async def describe(*, as_json: bool) -> None:
    async with open_client() as client:
        known = FeedList.model_validate_json((await client.ask("GET", _PATH)).content)
    rows = (
        (
            f"{feed.source} {feed.name}",
            "stopped" if feed.stopped_at else "wanted",
            f"{feed.interval_s} s",
            feed.points,
            "never" if feed.last_polled_at is None else f"{feed.last_polled_at:%Y-%m-%d %H:%M:%S}",
            feed.last_error or "",
        )
        for feed in known.feeds
    )
    head = ("feed", "", "every", "points", "last polled", "what is in its way")
    tell(known, table(head, rows), as_json=as_json)


def _of(source: str, name: str) -> str:
    return f"{_PATH}/{quote(source, safe='')}/{quote(name, safe='')}"
