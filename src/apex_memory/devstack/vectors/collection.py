"""One collection's directory in, its points to read and write out; flushed and optimised in the background.

`collection.json` names the directory of the current shard. It is replaced as a whole, so a crash leaves the
shard before an optimisation or the one after; what it does not name is rubbish, removed when opened.
"""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

import orjson
import qdrant_edge as qe
import structlog

from apex_memory.devstack.vectors import disk
from apex_memory.devstack.vectors.answers import Json, description
from apex_memory.devstack.vectors.compaction import compact
from apex_memory.devstack.vectors.definitions import collection_config
from apex_memory.devstack.vectors.errors import Refusal, refusals
from apex_memory.devstack.vectors.shard import Shard
from apex_memory.devstack.vectors.writes import Write

Answer = TypeVar("Answer")

_FILE: Final = "collection.json"
_FIRST_SHARD: Final = "shard-0"
_GROWTH: Final = 10  # a large collection is optimised again when one in so many points is new or dead
_log = structlog.get_logger()


@dataclass(frozen=True)
class Upkeep:
    """`flush_every_s` bounds the replay at start; above `optimise_above` points an exact scan is slow."""

    flush_every_s: float = 5.0
    optimise_above: int = 100_000


def lay_out(directory: Path, name: str, config: Json, *, upkeep: Upkeep) -> None:
    """Write an empty collection, synced, into a directory that nobody looks into yet."""
    with refusals():
        _, engine_config = collection_config(config, exact_below=upkeep.optimise_above)
        directory.mkdir(parents=True)
        edge = qe.EdgeShard.create(str(directory / _FIRST_SHARD), engine_config)
        edge.flush()
        edge.close()
    _describe(directory, {"name": name, "config": config, "shard": _FIRST_SHARD, "optimised_points": 0})
    disk.sync_tree(directory)


class Collection:
    """Opened in a running event loop; `close` it."""

    def __init__(self, directory: Path, *, upkeep: Upkeep) -> None:
        self._directory = directory
        self._about = cast("Json", orjson.loads((directory / _FILE).read_bytes()))
        self._upkeep = upkeep
        self.name = cast("str", self._about["name"])
        self.schema = collection_config(self._about["config"], exact_below=upkeep.optimise_above)[0]
        self._remove_rubbish()
        self._shard = Shard(directory / cast("str", self._about["shard"]))
        self._optimised_points = cast("int", self._about["optimised_points"])
        # Points replaced before this start are not known any more; the new ones are.
        self._written_before = min(0, self._optimised_points - self._points())
        self._optimising = False
        self._background = asyncio.create_task(self._keep_up())
        _log.info("collection.opened", collection=self.name, points=self._points())

    @property
    def stopped(self) -> bool:
        """Whether it takes no more writes until the service is started again."""
        return self._shard.stopped

    def read(self, ask: Callable[[qe.EdgeShard], Answer]) -> Answer:
        return self._shard.read(ask)

    async def write(self, write: Write) -> int:
        """The number of the operation, durable when this returns."""
        return await self._shard.write(write)

    def describe(self) -> Json:
        info = self.read(lambda edge: edge.info())
        return description(info, cast("Json", self._about["config"]), optimising=self._optimising)

    async def close(self) -> None:
        self._background.cancel()
        await asyncio.wait([self._background])
        await self._shard.close()

    def _points(self) -> int:
        return self._shard.read(lambda edge: edge.info().points_count)

    async def _keep_up(self) -> None:
        while not self._shard.stopped:
            await asyncio.sleep(self._upkeep.flush_every_s)
            try:
                await self._shard.flush()
                if self._is_due():
                    await self._optimise()
            except Refusal as exc:
                # Nothing acknowledged depends on it; the next round tries again.
                _log.exception("collection.upkeep_failed", collection=self.name, reason=str(exc))

    def _is_due(self) -> bool:
        """Enough new points to scan, or enough dead ones to carry along, since the last optimisation."""
        points = self._points()
        written = self._shard.points_written - self._written_before
        changed = written + max(0, self._optimised_points - points)
        above = self._upkeep.optimise_above
        return changed >= max(1, points // _GROWTH if points >= above else above)

    async def _optimise(self) -> None:
        written, points = self._shard.points_written, self._points()
        self._optimising = True
        try:
            await compact(self._shard, lambda path: self._publish(path, points))
        finally:
            # Also after a failure: the next attempt waits for as much change again.
            self._optimising = False
            self._written_before, self._optimised_points = written, points

    def _publish(self, shard: Path, points: int) -> None:
        about = self._about | {"shard": shard.name, "optimised_points": points}
        _describe(self._directory, about)
        self._about = about

    def _remove_rubbish(self) -> None:
        for path in self._directory.glob("shard-*"):
            if path.name != self._about["shard"]:
                shutil.rmtree(path)


def _describe(directory: Path, about: Json) -> None:
    disk.replace(directory / _FILE, orjson.dumps(about, option=orjson.OPT_INDENT_2))
