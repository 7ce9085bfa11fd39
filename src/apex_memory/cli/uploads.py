"""Paths in, what is to be sent from them out: files as documents, JSON as the records in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import orjson

from apex_memory.domain.errors import DocumentRejected

_FROM_FOLDERS: Final = frozenset({".md", ".markdown", ".txt", ".json"})


@dataclass(frozen=True)
class DocumentToSend:
    """A file, under the name that it keeps: its path within the folder that was given."""

    name: str
    path: Path


@dataclass(frozen=True)
class RecordToSend:
    """One object of a JSON file."""

    name: str
    source: str
    record: dict[str, Any]


ToSend = DocumentToSend | RecordToSend


def found_in(paths: Sequence[Path], *, source: str | None) -> Iterator[ToSend]:
    """In the order given; a folder's files sorted by path, hidden ones left out.

    Raises:
        DocumentRejected: a JSON file that cannot be read, or for which no source was given.
    """
    for path in paths:
        if path.is_dir():
            for file in _files(path):
                yield from _read(file, name=file.relative_to(path).as_posix(), source=source)
        else:
            yield from _read(path, name=path.name, source=source)


def _files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.rglob("*")
        if file.suffix.lower() in _FROM_FOLDERS
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )


def _read(file: Path, *, name: str, source: str | None) -> Iterator[ToSend]:
    if file.suffix.lower() != ".json":
        yield DocumentToSend(name=name, path=file)
        return
    if source is None:
        whose = "samsara, turvo, frontapp, or a name of your own"
        raise DocumentRejected(name, f"JSON holds records; say whose with --source: {whose}")
    records = _records(file, name)
    for number, record in enumerate(records, start=1):
        yield RecordToSend(
            name=name if len(records) == 1 else f"{name}#{number}", source=source, record=record
        )


def _records(file: Path, name: str) -> list[dict[str, Any]]:
    """One object, or an array of them."""
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as exc:
        raise DocumentRejected(name, f"is not JSON: {exc}") from None
    found = cast("list[object]", content if isinstance(content, list) else [content])
    if not all(isinstance(record, dict) for record in found):
        raise DocumentRejected(name, "expected a JSON object, or an array of objects")
    return cast("list[dict[str, Any]]", found)
