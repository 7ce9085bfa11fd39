"""Named bytes in, the same bytes out until they are removed: a StagingArea without a disk."""

import time
from collections.abc import Callable, Sequence

from apex_memory.domain.errors import StagedObjectMissing


class MemoryStaging:
    """Keeps the contract of `ports.StagingArea`. `clock` gives seconds, so that a test can move time."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._objects: dict[str, bytes] = {}
        self._changed: dict[str, float] = {}

    async def write(self, key: str, data: bytes) -> None:
        self._objects[key] = data
        self._changed[key.rpartition("/")[0]] = self._clock()

    async def read(self, key: str) -> bytes:
        try:
            return self._objects[key]
        except KeyError as exc:
            raise StagedObjectMissing(key) from exc

    async def remove(self, prefix: str) -> None:
        folder = prefix.rstrip("/") + "/"
        for key in [k for k in self._objects if k == prefix or k.startswith(folder)]:
            del self._objects[key]
        for gone in [f for f in self._changed if f == prefix or f.startswith(folder)]:
            del self._changed[gone]

    async def folders(self, *, older_than_s: float, after: str | None, limit: int) -> Sequence[str]:
        until = self._clock() - older_than_s
        old = (folder for folder, changed in self._changed.items() if changed <= until)
        return sorted(folder for folder in old if after is None or folder > after)[:limit]
