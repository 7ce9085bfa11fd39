"""Every feed of a source that can be polled, by source and name."""

from collections.abc import Mapping
from typing import Final

from apex_memory.domain.errors import ItemNotFound
from apex_memory.pipeline.sources.samsara.gps import GpsFeed

FEEDS: Final[Mapping[tuple[str, str], GpsFeed]] = {(feed.source, feed.name): feed for feed in (GpsFeed(),)}


def feed_named(source: str, name: str) -> GpsFeed:
    """Raises ItemNotFound."""
    try:
        return FEEDS[source, name]
    except KeyError:
        raise ItemNotFound("feed", f"{source}/{name}") from None
