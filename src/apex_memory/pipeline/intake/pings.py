"""A source's name in, a test message of that source out; and a message in, whether it is a test of ours."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import uuid4

import orjson

#: For sources whose own systems send no test that says so. Whoever signs one is only tested.
MARK: Final = "apex.ping"


def ping_of(source: str, *, now: datetime) -> bytes:
    """As the source's own system tests an endpoint, if it does. No two are alike: each is an event."""
    test_id = str(uuid4())
    match source:
        case "samsara":
            at_ms = round(now.timestamp() * 1000)
            said = {"eventId": test_id, "eventMs": at_ms, "eventType": "Ping", "event": {"text": "Ping"}}
        case "frontapp":
            said = {"type": "sync", "id": test_id}
        case _:
            said = {"type": MARK, "id": test_id, "timestamp": now.isoformat()}
    return orjson.dumps(said)


def is_marked(said: Mapping[str, object]) -> bool:
    """Whether it is a test of ours, of whatever source."""
    return said.get("type") == MARK
