"""The shapes of feeds that cross HTTP."""

from typing import Annotated, Final

from pydantic import Field

from apex_memory.domain.feeds import Feed
from apex_memory.domain.value import Value

LONGEST_INTERVAL_S: Final = 86_400


class FeedIn(Value):
    """How a feed is to be read."""

    interval_s: Annotated[int, Field(strict=True, ge=1, le=LONGEST_INTERVAL_S)] | None = Field(
        default=None, description="seconds between two polls; default: the source's own least, 5 for samsara"
    )


class FeedList(Value):
    feeds: tuple[Feed, ...]
