"""Staging keys in, folder and file names that are safe on any file system out; hostile keys are refused."""

import hashlib
import re
from typing import Final
from urllib.parse import unquote

from apex_memory.domain.errors import PermanentError

#: tenant / source / data_id / name
DEPTH: Final = 4
MAX_PART: Final = 255

# Upper case is quoted in folders: "Acme" and "acme" are two tenants, on any file system. In a file's name it
# may stay, so that FAILED and README.PDF are read as such.
_FOLDER: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*")
_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


class StagingKeyRejected(PermanentError):
    """A key is not of the form `tenant/source/data_id/name`, or one of its parts is no name."""

    def __init__(self, key: str, problem: str) -> None:
        self.key = key
        self.problem = problem
        super().__init__(f"staging key {key[:100]!r}: {problem}")


def object_path(key: str) -> tuple[str, ...]:
    """The three folders and the file of an object. Raises StagingKeyRejected."""
    names = _names(key)
    if len(names) != DEPTH:
        raise StagingKeyRejected(key, "expected tenant/source/data_id/name")
    return names


def prefix_path(prefix: str) -> tuple[str, ...]:
    """One to four names: nothing shorter, so that no prefix is the whole area. Raises StagingKeyRejected."""
    names = _names(prefix)
    if len(names) > DEPTH:
        raise StagingKeyRejected(prefix, "expected at most tenant/source/data_id/name")
    return names


def prefix_of(*names: str) -> str | None:
    """The prefix whose folders have these names. None: a name was hashed, or none of ours is like this."""
    try:
        prefix = "/".join(unquote(name, errors="strict") for name in names)
        return prefix if prefix_path(prefix) == names else None
    except (UnicodeDecodeError, StagingKeyRejected):
        return None


def _names(key: str) -> tuple[str, ...]:
    parts = key.split("/")
    return tuple(_name(part, key, plain=_FILE if n == DEPTH else _FOLDER) for n, part in enumerate(parts, 1))


def _name(part: str, key: str, *, plain: re.Pattern[str]) -> str:
    """Different parts get different names."""
    if part in {"", ".", ".."}:
        raise StagingKeyRejected(key, "an empty part, '.' or '..' is no name")
    if len(part) > MAX_PART:
        raise StagingKeyRejected(key, f"a part is longer than {MAX_PART} characters")
    if "\\" in part or not part.isprintable():
        raise StagingKeyRejected(key, "a part holds a backslash or a character that cannot be printed")
    if plain.fullmatch(part):
        return part
    # '%' and '~' never occur in a plain name, nor '~' in a quoted one: the three kinds cannot meet.
    quoted = "".join(c if plain.fullmatch(c) else _quoted(c) for c in part)
    return quoted if len(quoted) <= MAX_PART else "~" + hashlib.sha256(part.encode()).hexdigest()


def _quoted(character: str) -> str:
    return "".join(f"%{byte:02x}" for byte in character.encode())
