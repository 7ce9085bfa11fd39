"""A home in, directories that PostgreSQL's user can reach out, also where the home is closed to it."""

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from apex_memory.devstack.home import Home
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.service import Account
from apex_memory.domain.errors import DependencyMissing

POSTGRES: Final = "postgres"
TEMPLATES: Final = "postgres-templates"
OUTSIDE: Final = Path("/var/tmp")  # noqa: S108 - survives reboots; `_outside` checks whose it is


def postgres_places(home: Home, installation: Installation, account: Account | None) -> dict[str, str]:
    """Where data and templates go: where they belong if the account can get there, else below /var/tmp."""
    data = home.data if _can_reach(home.data, account) else _outside(home.root)
    if not os.access(_nearest(installation.lib), os.W_OK):
        shared = data
    elif _can_reach(installation.lib, account):
        shared = installation.lib
    else:
        shared = _outside(installation.root)
    return {POSTGRES: str(data / POSTGRES), TEMPLATES: str(shared / TEMPLATES)}


def data_directories(home: Home, places: Mapping[str, str]) -> list[Path]:
    """Everything that a stack has remembered."""
    outside = Path(places[POSTGRES]).parent if POSTGRES in places else home.data
    return [home.data] if outside == home.data else [home.data, outside]


def make_directory(path: Path) -> None:
    """With its parents. A name in /var/tmp can be guessed, so that it may be a trap.

    Raises:
        DependencyMissing: the directory is someone else's.
    """
    path.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.geteuid():
        raise DependencyMissing(f"a directory {path} of our own", f"rm -r {path}")


def erase(home: Home, places: Mapping[str, str]) -> None:
    """Delete all data of a stopped stack, and the file that says where it was."""
    for directory in data_directories(home, places):
        shutil.rmtree(directory, ignore_errors=True)
    home.env_file.unlink(missing_ok=True)


def _can_reach(path: Path, account: Account | None) -> bool:
    """Whether every directory on the way, as far as it exists, lets the account through."""
    if account is None:
        return True
    return all(_lets_through(step.stat(), account) for step in (path, *path.parents) if step.exists())


def _lets_through(entry: os.stat_result, account: Account) -> bool:
    if entry.st_uid == account.uid:
        return bool(entry.st_mode & 0o100)
    if entry.st_gid == account.gid:
        return bool(entry.st_mode & 0o010)
    return bool(entry.st_mode & 0o001)


def _outside(root: Path) -> Path:
    """A directory for what belongs below `root`."""
    return OUTSIDE / f"apex-dev-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"


def _nearest(path: Path) -> Path:
    return next(step for step in (path, *path.parents) if step.exists())
