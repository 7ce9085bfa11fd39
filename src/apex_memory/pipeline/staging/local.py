"""Bytes and a key in, a durable private file below one root out; and back."""

import asyncio
import errno
import os
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final
from uuid import uuid4

from apex_memory.domain.errors import PermanentError, StagedObjectMissing, StoreUnavailable
from apex_memory.pipeline.staging._folders import (
    NO_FOLDER,
    folders_below,
    opened,
    remove_tree,
    told_as_unavailable,
)
from apex_memory.pipeline.staging._keys import object_path, prefix_of, prefix_path

MIN_FREE_BYTES: Final = 256 << 20

_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
# Non-blocking: opening a planted pipe must not hang.
_OLD: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


class StagedObjectTooLarge(PermanentError):
    """An object exceeds what the staging area takes (bytes)."""

    def __init__(self, key: str, *, size: int, limit: int) -> None:
        self.key = key
        self.size = size
        self.limit = limit
        super().__init__(f"{key!r} has {size} bytes; the staging area takes at most {limit} an object")


class LocalStaging:
    """Files under `root`, readable by their owner only.

    An object is whole or absent: it is written under a name of its own, made durable, and renamed.
    A cancelled `write` or `remove` still runs to its end in its thread.

    Raises, from every method:
        StagingKeyRejected: the key is malformed.
        StoreUnavailable: the disk is full, failing, or something else lies where a folder should be.
    """

    def __init__(self, root: Path, *, max_bytes: int, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        """`max_bytes`: of one object. `min_free_bytes`: kept free on the disk, for those who share it."""
        self._root = root
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes

    async def write(self, key: str, data: bytes) -> None:
        """Durable when it returns; replaces what was there. Raises StagedObjectTooLarge as well."""
        path = object_path(key)
        if len(data) > self._max_bytes:
            raise StagedObjectTooLarge(key, size=len(data), limit=self._max_bytes)
        await asyncio.to_thread(self._write, path, data)

    async def read(self, key: str) -> bytes:
        """Raises StagedObjectMissing: nothing there, or nothing that this class wrote."""
        path = object_path(key)
        data = await asyncio.to_thread(self._read, path)
        if data is None:
            raise StagedObjectMissing(key)
        return data

    async def remove(self, prefix: str) -> None:
        """Remove `tenant[/source[/data_id[/name]]]` and all below; nothing there is fine."""
        await asyncio.to_thread(self._remove, prefix_path(prefix))

    async def folders(self, *, older_than_s: float, after: str | None, limit: int) -> Sequence[str]:
        """Folders `tenant/source/data_id`; one with a part too long to be its own name is not listed."""
        found = await asyncio.to_thread(self._folders, time.time() - older_than_s)
        return sorted(prefix for prefix in found if after is None or prefix > after)[:limit]

    def _write(self, path: Sequence[str], data: bytes) -> None:
        *folders, name = path
        with told_as_unavailable(), opened(self._root, folders, create=True) as folder:
            self._require_room(folder, len(data))
            # Starts with a dot, as no object's name does.
            own = f".{uuid4().hex}"
            try:
                _write_durably(folder, own, data)
                os.replace(own, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(own, dir_fd=folder)
                raise
            os.fsync(folder)

    def _require_room(self, folder: int, size: int) -> None:
        disk = os.fstatvfs(folder)
        free = disk.f_bavail * disk.f_frsize
        if free - size < self._min_free_bytes:
            raise StoreUnavailable(
                "staging",
                f"{free} bytes are free, {size} are to be written, {self._min_free_bytes} stay free",
            )

    def _read(self, path: Sequence[str]) -> bytes | None:
        *folders, name = path
        with told_as_unavailable():
            try:
                with opened(self._root, folders) as folder:
                    return _read_file(folder, name)
            except OSError as exc:
                if exc.errno == errno.ENOENT or exc.errno in NO_FOLDER:
                    return None
                raise

    def _folders(self, until: float) -> Sequence[str]:
        found: list[str] = []
        with told_as_unavailable():
            for tenant, _ in self._below():
                for source, _ in self._below(tenant):
                    old = [name for name, changed in self._below(tenant, source) if changed <= until]
                    prefixes = (prefix_of(tenant, source, name) for name in old)
                    found += [prefix for prefix in prefixes if prefix is not None]
        return found

    def _below(self, *folders: str) -> Sequence[tuple[str, float]]:
        with suppress(FileNotFoundError), opened(self._root, folders) as folder:
            return folders_below(folder)
        return ()

    def _remove(self, path: Sequence[str]) -> None:
        *folders, name = path
        with told_as_unavailable(), suppress(FileNotFoundError), opened(self._root, folders) as folder:
            remove_tree(folder, name)
            os.fsync(folder)


def _write_durably(folder: int, name: str, data: bytes) -> None:
    with os.fdopen(os.open(name, _NEW, 0o600, dir_fd=folder), "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _read_file(folder: int, name: str) -> bytes | None:
    """None: a folder, a pipe or the like."""
    file = os.open(name, _OLD, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            return None
        with os.fdopen(file, "rb", closefd=False) as stream:
            return stream.read()
    finally:
        os.close(file)
