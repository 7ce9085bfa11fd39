"""An answer to a delivery in, what it breaks out: every accepted event is in the inbox, whole and once."""

import hashlib
import json
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from tests.fuzz.oracle import Door, Verdict, json_object, word_asked
from tests.fuzz.wire import Answer, Request
from tests.unit.api.fakes import MemoryInbox

_TAKEN = (200, 202)
_TURVO = ("tenantId", "eventName", "eventTime")
_NUMBERS = ("id", "load/id", "shipmentId", "shipment_id", "shipment/id", "data/shipment/id")
#: What each vendor calls an event by: all of a row, at paths.
_NAMES_OF = {
    "samsara": (("eventId",), ("vehicle_id", "timestamp")),
    "frontapp": (("payload/id",), ("id",), ("message_id", "timestamp")),
    "turvo": (
        *((*_TURVO, f"eventPayload/{number}") for number in _NUMBERS),
        ("shipmentId", "updatedAt"),
        ("shipmentId", "timestamp"),
    ),
}


class Books:
    """What the senders were told, beside what the inbox holds."""

    def __init__(self, inbox: MemoryInbox) -> None:
        self._inbox = inbox
        self._told: dict[UUID, str] = {}

    def entered(
        self, answer: Answer, request: Request, door: Door | None, verdict: Verdict
    ) -> Iterator[tuple[str, str]]:
        """The violations of one exchange, each with its kind."""
        taken = answer.status in _TAKEN
        if not taken and not 400 <= answer.status < 500:
            yield "not an answer of ours", f"status {answer.status}: {answer.body[:300]!r}"
        if taken and verdict is Verdict.FORGED:
            yield "accepted forgery", f"status {answer.status}: {answer.body!r}"
        if not taken and verdict is Verdict.GENUINE:
            yield "refused genuine", f"status {answer.status}: {answer.body!r}"
        said: Mapping[str, Any] = json.loads(answer.body) if taken else {}
        if taken and door and (wrong := self._kept(answer.status, said, request, door)):
            yield "lost", wrong
        if len(self._inbox.events) != len(self._told):
            yield "kept and not told", f"{len(self._inbox.events)} in the inbox, {len(self._told)} told of"

    def audit(self) -> str | None:
        """What is not as it was told, at the end."""
        held = {event_id: _digest(event.body) for event_id, event in self._inbox.events.items()}
        if held == self._told:
            return None
        return f"{len(self._told)} were told of, {len(held)} are there, or with other bytes"

    def _kept(self, status: int, said: Mapping[str, Any], request: Request, door: Door) -> str | None:
        if "challenge" in said:
            word = word_asked(request, door)
            return None if said == {"challenge": word} and status == 200 else f"{said} for {word!r}"
        event_id = UUID(said["event_id"])
        event = self._inbox.events.get(event_id)
        if event is None:
            return "the event that was told of is not in the inbox"
        if (event.tenant_id, event.source) != (door.tenant_id, door.source):
            return "it is kept for another tenant or source"
        if said["duplicate"] != (status == 200) or said["duplicate"] != (event_id in self._told):
            return f"status {status}, told {said}, and known before: {event_id in self._told}"
        if said["duplicate"]:
            same = _same_event(door.source, event.body, request.body)
            return None if same else f"taken for {event.body[:300]!r}"
        self._told[event_id] = _digest(request.body)
        return None if event.body == request.body else "kept with other bytes"


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _same_event(source: str, one: bytes, other: bytes) -> bool:
    """Whether two bodies are one event: the same bytes, or all that their vendor calls an event by."""
    if one == other:
        return True
    said = [json_object(body) for body in (one, other)]
    for names in _NAMES_OF.get(source, ()):
        first, second = ([_plain(_within(body, name)) for name in names] for body in said)
        if None not in first and first == second:
            return True
    return False


def _within(said: Any, path: str) -> Any:
    for name in path.split("/"):
        said = cast("dict[str, Any]", said).get(name) if isinstance(said, dict) else None
    return said


def _plain(value: Any) -> str | None:
    """One spelling for each id and each instant."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = " ".join(unicodedata.normalize("NFC", str(value)).split())
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return text or None
