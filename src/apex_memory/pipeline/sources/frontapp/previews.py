"""An event that shows its message in outline in, what is to be fetched out, and the two joined."""

import re
from collections.abc import Mapping
from typing import Final

from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.hooks import Wanted
from apex_memory.pipeline.sources._reading import as_object, within
from apex_memory.pipeline.sources.frontapp.events import (
    COMMENTS,
    MESSAGES,
    SOURCE,
    carried,
    kind_of,
    pointer_to_event,
    with_target,
)

#: Of the link only the path is used: who sends a delivery does not choose whom we ask.
_LINK: Final = re.compile(r"https://[^/?#\s]{1,255}(?P<path>/(?P<folder>messages|comments)/(?P<id>[^/?#]+))")
_IDS: Final = {
    "messages": re.compile(r"msg_[0-9A-Za-z]{1,64}"),
    "comments": re.compile(r"com_[0-9A-Za-z]{1,64}"),
}
#: What is missing from an answer is missing for good.
_NOTHING: Final[Mapping[str, Mapping[str, object]]] = {
    "messages": {"body": "", "recipients": []},
    "comments": {"body": ""},
}


def is_preview(kind: str | None, data: object) -> bool:
    """Whether a message comes without its text or without who wrote to whom, a comment without its text."""
    if kind in COMMENTS:
        return within(data, "body") is None
    without_text = within(data, "body") is None and within(data, "text") is None
    return kind in MESSAGES and (without_text or within(data, "recipients") is None)


def wanted(record: Mapping[str, object]) -> Wanted | None:
    """The path of what the preview shows; None if all is there, or if no id is.

    Raises:
        RecordRejected: the preview and its own link name two different things.
    """
    kind, data = kind_of(record), within(carried(record), "target", "data")
    if not is_preview(kind, data):
        return None
    folder = "comments" if kind in COMMENTS else "messages"
    named, linked = _valid(within(data, "id"), folder), _linked(within(data, "_links", "self"), folder)
    if named and linked and named != linked:
        pointer = f"{pointer_to_event(record)}/target/data/_links/self"
        raise RecordRejected(SOURCE, pointer, "expected a link to what the id beside it names")
    which = named or linked
    return Wanted(path=f"/{folder}/{which}") if which else None


def completed(record: Mapping[str, object], answer: Mapping[str, object]) -> Mapping[str, object]:
    """The record with the answer in the place of the preview.

    Raises:
        RecordRejected: the answer is about something else.
    """
    want = wanted(record)
    if want is None:
        return record
    _, folder, which = want.path.split("/")
    if answer.get("id") != which:
        raise RecordRejected(SOURCE, "/id", "expected what was asked for")
    preview = as_object(within(carried(record), "target", "data"))
    told = {key: value for key, value in (*preview.items(), *answer.items()) if value is not None}
    return with_target(record, {**_NOTHING[folder], **told})


def _linked(link: object, folder: str) -> str | None:
    match = _LINK.fullmatch(link) if isinstance(link, str) else None
    return _valid(match["id"], folder) if match and match["folder"] == folder else None


def _valid(value: object, folder: str) -> str | None:
    return value if isinstance(value, str) and _IDS[folder].fullmatch(value) else None
