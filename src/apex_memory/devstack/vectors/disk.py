"""Files and directories in, the same ones durable out."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from apex_memory.devstack.vectors.errors import RootInUse

_LOCK: Final = "lock"


@contextmanager
def owned(root: Path) -> Generator[None]:
    """Hold the root for this process; the kernel lets go of it however the process ends.

    Raises:
        RootInUse: names the process that holds it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with (root / _LOCK).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            lock.seek(0)
            raise RootInUse(str(root), f"pid {lock.read().strip() or 'unknown'}") from exc
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def sync(path: Path) -> None:
    """One file or directory, also what was written through a memory map: same inode, same pages."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(root: Path) -> None:
    """Everything below a directory, and the directory."""
    for directory, _, names in os.walk(root):
        for name in names:
            sync(Path(directory, name))
        sync(Path(directory))


def sync_directory(directory: Path) -> None:
    """The files of a directory and the directory, in which the engine adds, renames and removes at any time.

    A file that is gone when its turn comes has another name, or is needed no more: all are looked at again.
    """
    while not _synced(directory):
        pass


def _synced(directory: Path) -> bool:
    try:
        for path in sorted(directory.iterdir()):
            sync(path)
    except FileNotFoundError:
        if not directory.exists():
            raise
        return False
    sync(directory)
    return True


def replace(path: Path, content: bytes) -> None:
    """Old content or new, never a part of either, also across a power cut."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    sync(fresh)
    fresh.rename(path)
    sync(path.parent)


def move(path: Path, target: Path) -> None:
    """Rename into another directory of the same file system."""
    path.rename(target)
    sync(target.parent)
    sync(path.parent)
