"""What `install` put on the machine, with digests: written once for each program, checked by `doctor`."""

import hashlib
from pathlib import Path

from pydantic import TypeAdapter

from apex_memory.devstack.home import write_private
from apex_memory.domain.value import Value

_CHUNK = 1 << 20


class Installed(Value):
    """The digest of a directory is that of its sorted lines `sha256  name`."""

    name: str
    version: str
    path: str
    sha256: str


_ENTRIES: TypeAdapter[dict[str, Installed]] = TypeAdapter(dict[str, Installed])


def read_manifest(file: Path) -> dict[str, Installed]:
    """By name; empty if nothing was installed yet."""
    return _ENTRIES.validate_json(file.read_bytes()) if file.exists() else {}


def record(file: Path, entry: Installed) -> None:
    """Add or replace one entry."""
    entries = {**read_manifest(file), entry.name: entry}
    write_private(file, _ENTRIES.dump_json(entries, indent=1).decode() + "\n")
    file.chmod(0o644)


def digest(path: Path) -> str:
    """Of a file, or of all files of a directory."""
    if path.is_dir():
        lines = (f"{digest(file)}  {file.name}\n" for file in sorted(path.iterdir()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()
