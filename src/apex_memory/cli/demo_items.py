"""The demonstration's events and documents, each with the question that must find it."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

import orjson

from apex_memory.domain.bundles import EntityRef

_DATA: Final = files("apex_memory.cli") / "demo_data"
_SHIPMENT: Final = "SHIP-2025-10-19-002"
_VEHICLE: Final = "TRUCK-6520"
_MESSAGE: Final = "MSG-2025-10-19-003"
_QUESTIONS: Final = {
    "samsara": f"Where was {_VEHICLE}?",
    "turvo": f"shipment {_SHIPMENT}",
    "frontapp": f"message {_MESSAGE} delivery confirmation",
}
_JOINING_QUESTION: Final = "Which customer's delivery did dispatch confirm?"


@dataclass(frozen=True)
class DemoItem:
    """A record, or else a document, and a question that names it."""

    source: str
    name: str
    question: str
    record: Mapping[str, Any] | None = None
    document: bytes = b""


@dataclass(frozen=True)
class Demonstration:
    """What is sent, and the question whose answer joins three of the items."""

    items: tuple[DemoItem, ...]
    shipment: EntityRef
    question: str
    #: Among many editions, only this one's shipment is meant.
    about: EntityRef | None


def demonstration(*, fresh: bool) -> Demonstration:
    """The same each time; `fresh` gives everything ids that were never used before."""
    if not fresh:
        return _Edition({}, reference="").demonstration()
    number = str(secrets.randbelow(900_000) + 100_000)
    ids = {
        _SHIPMENT: _SHIPMENT[:-3] + number,
        _VEHICLE: f"TRUCK-{number}",
        _MESSAGE: _MESSAGE[:-3] + number,
    }
    # Known to search by rule: among a dozen editions of one text, words alone do not find the right one.
    return _Edition(ids, reference=f"BOL-{number}").demonstration()


class _Edition:
    """One edition of the data: `ids` replaces business keys, `reference` marks every document."""

    def __init__(self, ids: Mapping[str, str], *, reference: str) -> None:
        self._ids = ids
        self._reference = reference

    def demonstration(self) -> Demonstration:
        shipment = EntityRef(type="shipment", key=self._renamed(_SHIPMENT))
        return Demonstration(
            items=(*self._records(), *self._documents()),
            shipment=shipment,
            question=_JOINING_QUESTION,
            about=shipment if self._reference else None,
        )

    def _records(self) -> Iterator[DemoItem]:
        for source, question in _QUESTIONS.items():
            text = self._renamed((_DATA / "events" / f"{source}.json").read_text())
            yield DemoItem(
                source=source, name=source, question=self._renamed(question), record=orjson.loads(text)
            )

    def _documents(self) -> Iterator[DemoItem]:
        for file in sorted((_DATA / "documents").iterdir(), key=_name):
            text = self._renamed(file.read_text())
            title = text.partition("\n")[0].removeprefix("# ")
            stem = file.name.removesuffix(".md")
            if self._reference:
                stem, title = f"{stem}-{self._reference}", f"{title} {self._reference}"
                text = f"{text}\nReference {self._reference}.\n"
            yield DemoItem(source="local_upload", name=f"{stem}.md", question=title, document=text.encode())

    def _renamed(self, text: str) -> str:
        for old, new in self._ids.items():
            text = text.replace(old, new)
        return text


def _name(file: Traversable) -> str:
    return file.name
