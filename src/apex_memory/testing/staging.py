"""Named bytes in, the same bytes out until they are removed: a StagingArea without a disk."""

from apex_memory.domain.errors import StagedObjectMissing


class MemoryStaging:
    """Keeps the contract of `ports.StagingArea`."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    async def write(self, key: str, data: bytes) -> None:
        self._objects[key] = data

    async def read(self, key: str) -> bytes:
        try:
            return self._objects[key]
        except KeyError as exc:
            raise StagedObjectMissing(key) from exc

    async def remove(self, prefix: str) -> None:
        folder = prefix.rstrip("/") + "/"
        for key in [k for k in self._objects if k == prefix or k.startswith(folder)]:
            del self._objects[key]
