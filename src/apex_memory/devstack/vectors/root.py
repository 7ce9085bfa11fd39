"""A root directory in, its collections by name out; each is created and dropped by one rename."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote

from apex_memory.devstack.vectors import disk
from apex_memory.devstack.vectors.answers import Json
from apex_memory.devstack.vectors.collection import Collection, Upkeep, lay_out
from apex_memory.devstack.vectors.errors import AlreadyExists, BadRequest, NotFound

_MAX_NAME: Final = 255  # bytes of one directory name
_FORBIDDEN: Final = frozenset('<>:"/\\|?*\0')  # as in Qdrant


class Root:
    """What is below `collections/` is whole; what is below `making/` or `dropped/` was interrupted."""

    def __init__(self, directory: Path, *, upkeep: Upkeep) -> None:
        self._whole = directory / "collections"
        self._making = directory / "making"
        self._dropped = directory / "dropped"
        self._upkeep = upkeep
        self._open: dict[str, Collection] = {}
        self._changing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def opened(cls, directory: Path, *, upkeep: Upkeep) -> AsyncGenerator[Self]:
        """The caller owns the directory (`disk.owned`). Leaving flushes and closes every collection."""
        root = cls(directory, upkeep=upkeep)
        root._open_all()
        try:
            yield root
        finally:
            async with root._changing:
                await asyncio.gather(*(collection.close() for collection in root._open.values()))

    def names(self) -> list[str]:
        return sorted(self._open)

    def stopped(self) -> list[str]:
        """The collections that take no more writes."""
        return [name for name in self.names() if self._open[name].stopped]

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def collection(self, name: str) -> Collection:
        try:
            return self._open[name]
        except KeyError:
            raise NotFound(f"Collection `{name}` doesn't exist!") from None

    async def create(self, name: str, config: Json) -> None:
        """Whole and durable when this returns; after a crash before that, there is nothing.

        Raises:
            AlreadyExists: whatever the configuration.
        """
        directory = _directory_name(name)
        async with self._changing:
            if name in self._open:
                raise AlreadyExists(name)
            making = self._making / directory
            try:
                await asyncio.to_thread(lay_out, making, name, config, upkeep=self._upkeep)
                disk.move(making, self._whole / directory)
            finally:
                shutil.rmtree(making, ignore_errors=True)
            self._open[name] = Collection(self._whole / directory, upkeep=self._upkeep)

    async def drop(self, name: str) -> bool:
        """Whether there was one to drop."""
        async with self._changing:
            collection = self._open.pop(name, None)
            if collection is None:
                return False
            await collection.close()
            dropped = self._dropped / _directory_name(name)
            disk.move(self._whole / dropped.name, dropped)
            await asyncio.to_thread(shutil.rmtree, dropped)
            return True

    def _open_all(self) -> None:
        for interrupted in (self._making, self._dropped):
            shutil.rmtree(interrupted, ignore_errors=True)
            interrupted.mkdir()
        self._whole.mkdir(exist_ok=True)
        disk.sync(self._whole.parent)
        for directory in sorted(self._whole.iterdir()):
            collection = Collection(directory, upkeep=self._upkeep)
            self._open[collection.name] = collection


def _directory_name(name: str) -> str:
    directory = quote(name, safe="")
    if name in {"", ".", ".."} or not _FORBIDDEN.isdisjoint(name) or len(directory) > _MAX_NAME:
        raise BadRequest(
            f"collection name {name!r} is empty, too long or has one of {' '.join(sorted(_FORBIDDEN))!r}"
        )
    return directory
