"""Reads and writes in, one engine shard kept: reads inline, one writer thread, acknowledged after a sync.

Every call of the engine holds the GIL from start to end. So a thread for reads would only add its hops, and a
read on the event loop never meets a shard that is being closed there.
"""

import asyncio
import subprocess
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import qdrant_edge as qe

from apex_memory.devstack.vectors import disk
from apex_memory.devstack.vectors.commit import GroupCommit
from apex_memory.devstack.vectors.errors import BadRequest, EngineFailed, NotFound, StorageFailed, refusals
from apex_memory.devstack.vectors.writes import Write

Answer = TypeVar("Answer")


class Shard:
    """One directory of the engine. Belongs to one event loop; `close` it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._edge = _load(path)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix=f"write-{path.parent.name}")
        self._commit = GroupCommit(self._sync)
        self._operations = 0
        self._flushed = 0
        self._points_written = 0
        self._journal: list[qe.UpdateOperation] | None = None
        self._stopped: str | None = None
        self._closed = False

    @property
    def path(self) -> Path:
        return self._path

    @property
    def stopped(self) -> bool:
        """Whether it refuses writes until it is opened again."""
        return self._stopped is not None

    @property
    def points_written(self) -> int:
        """How many points were inserted or replaced since it was opened."""
        return self._points_written

    def read(self, ask: Callable[[qe.EdgeShard], Answer]) -> Answer:
        """Ask the engine, inline. A read may see a write before it is acknowledged, as in Qdrant."""
        with refusals():
            return ask(self._edge)

    async def write(self, write: Write) -> int:
        """Apply and make durable; the number of the last operation.

        Raises:
            StorageFailed: it was applied, but may not outlive a power cut; this shard takes no more writes.
        """
        self._check_open()
        number = await self._alone(lambda: self._apply(write))
        # Dropped meanwhile: there is nothing left to make durable.
        self._check_open()
        await self._commit()
        return number

    async def flush(self) -> None:
        """Bound what the next start replays; acknowledged writes do not depend on it."""
        if self._operations != self._flushed and not self.stopped:
            await self._alone(self._flush)

    async def copy(self, target: Path) -> None:
        """Copy it to `target`, between two writes, and keep a journal of those that follow."""
        await self._alone(lambda: self._copy(target))

    async def replace(self, path: Path, publish: Callable[[Path], None]) -> int:
        """Continue in the copy at `path`: journal applied, synced, then published; the length of the journal.

        `publish` makes the copy the one that the next start opens. A cancellation waits for the end: half-way
        nobody could say which of the two directories may be removed.

        Raises:
            StorageFailed: it is unknown which of the two the next start opens. Both hold every acknowledged
                write, and there will be no more until then.
        """
        swap = asyncio.ensure_future(self._replace(path, publish))
        try:
            return await asyncio.shield(swap)
        except asyncio.CancelledError:
            await asyncio.wait([swap])
            raise

    def forget_copy(self) -> None:
        self._journal = None

    async def close(self) -> None:
        """Finish the writes at hand, flush and let go of the files."""
        self._closed = True
        await asyncio.to_thread(self._writer.shutdown)
        with suppress(StorageFailed):
            await self._commit()
        with refusals():
            if not self.stopped:
                self._edge.flush()
            self._edge.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineFailed(f"{self._path} was closed")
        if self._stopped is not None:
            raise StorageFailed(self._stopped)

    async def _replace(self, path: Path, publish: Callable[[Path], None]) -> int:
        old = self._edge
        replayed = await self._alone(lambda: self._replay(path, publish))
        # On the event loop, where no read can be in the middle of the old one.
        old.close()
        # A sync that began before may still be in the old directory; one that begins now is not.
        await self._commit()
        return replayed

    async def _alone(self, job: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._writer, job)

    def _apply(self, write: Write) -> int:
        with refusals():
            for operation in write.operations(self._edge):
                # Before it is applied: the copy must meet a failing one too, it may have had half its effect.
                if self._journal is not None:
                    self._journal.append(operation)
                self._edge.update(operation)
                self._operations += 1
        self._points_written += write.points
        return self._operations

    def _sync(self) -> None:
        """The engine writes its log through memory maps and syncs nothing by itself."""
        with self._stopping_on_failure():
            # The kernel reports a failed write-back once; a second sync would succeed and prove nothing.
            disk.sync_directory(self._path / "wal")

    @contextmanager
    def _stopping_on_failure(self) -> Generator[None]:
        try:
            yield
        except OSError as exc:
            # Not even a flush from now on: it would drop log entries whose effects may not be on disk.
            self._stopped = str(exc)
            raise StorageFailed(self._stopped) from exc

    def _flush(self) -> None:
        with refusals():
            self._edge.flush()
        self._flushed = self._operations

    def _copy(self, target: Path) -> None:
        self._flush()
        # The engine's files are mostly holes: 260 MB that take 77 MB on disk.
        subprocess.run(  # noqa: S603 - both paths are ours
            ["/bin/cp", "-r", "--sparse=always", "--reflink=auto", str(self._path), str(target)], check=True
        )
        self._journal = []

    def _replay(self, path: Path, publish: Callable[[Path], None]) -> int:
        journal, self._journal = self._journal or [], None
        fresh = _load(path)
        with refusals():
            for operation in journal:
                # What the original refused, the copy refuses alike.
                with suppress(BadRequest, NotFound), refusals():
                    fresh.update(operation)
            fresh.flush()
        # Nobody synced the copied files yet: without this a power cut after the swap loses the collection.
        disk.sync_tree(path)
        with self._stopping_on_failure():
            publish(path)
        self._edge, self._path = fresh, path
        return len(journal)


def _load(path: Path) -> qe.EdgeShard:
    with refusals():
        return qe.EdgeShard.load(str(path))
