"""A root and folder names in, an open directory out; a symbolic link below the root is never followed."""

import errno
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from apex_memory.domain.errors import StoreUnavailable

#: What opening a link or a file as a folder is answered with; systems differ.
NO_FOLDER: Final = frozenset({errno.ENOTDIR, errno.ELOOP})

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY
_PRIVATE: Final = 0o700


@contextmanager
def opened(root: Path, folders: Sequence[str], *, create: bool = False) -> Generator[int]:
    """A descriptor of the innermost folder, valid inside the `with`; with `create`, its path is durable.

    Raises:
        FileNotFoundError: a folder is missing, and `create` is off.
        OSError: something else lies in the way, such as a symbolic link (an errno of `NO_FOLDER`).
    """
    if create:
        _make_root(root)
    here = os.open(root, _DIRECTORY)  # the root itself may be a link: the operator put it there
    try:
        for name in folders:
            if create:
                _make(here, name)
            inner = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = inner
        yield here
    finally:
        os.close(here)


def folders_below(parent: int) -> Sequence[tuple[str, float]]:
    """Name and time of the last change (seconds since 1970) of each real folder in an open directory."""
    with os.scandir(parent) as entries:
        found: list[tuple[str, float]] = []
        for entry in entries:
            with suppress(FileNotFoundError):
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.name, entry.stat(follow_symlinks=False).st_mtime))
        return found


def remove_tree(parent: int, name: str) -> None:
    """Remove what `name` is in the open directory `parent`; a link goes, what it points at stays."""
    try:
        folder = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    except FileNotFoundError:
        return
    except OSError as exc:
        if exc.errno not in NO_FOLDER:
            raise
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        return
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
        for inner in names:
            remove_tree(folder, inner)
    finally:
        os.close(folder)
    with suppress(FileNotFoundError):
        os.rmdir(name, dir_fd=parent)


@contextmanager
def told_as_unavailable() -> Generator[None]:
    """Turn what the disk answers into StoreUnavailable; what is caught inside is an answer, not a failure."""
    try:
        yield
    except OSError as exc:
        raise StoreUnavailable("staging", exc.strerror or type(exc).__name__) from exc


def _make_root(root: Path) -> None:
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    root.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
    for folder in missing:
        parent = os.open(folder.parent, _DIRECTORY)
        try:
            os.fsync(parent)
        finally:
            os.close(parent)


def _make(parent: int, name: str) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, _PRIVATE, dir_fd=parent)
    # Also if it was there: whoever made it may have died before this line.
    os.fsync(parent)
