"""One shard of the real engine: writes, failures, and the swap to an optimised copy."""

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import qdrant_edge as qe

from apex_memory.devstack.vectors import disk, writes
from apex_memory.devstack.vectors.definitions import collection_config
from apex_memory.devstack.vectors.errors import BadRequest, EngineFailed, StorageFailed
from apex_memory.devstack.vectors.shard import Shard
from apex_memory.devstack.vectors.writes import Write

SCHEMA, CONFIG = collection_config({"vectors": {"v": {"size": 2, "distance": "Dot"}}}, exact_below=1)


@pytest.fixture
async def shard(tmp_path: Path) -> AsyncGenerator[Shard]:
    path = tmp_path / "shard-0"
    qe.EdgeShard.create(str(path), CONFIG).close()
    shard = Shard(path)
    yield shard
    await shard.close()


def upsert(*ids: int) -> Write:
    return writes.upsert({"points": [{"id": i, "vector": {"v": [1, i]}} for i in ids]}, SCHEMA)


def points(shard: Shard) -> list[object]:
    found, _ = shard.read(lambda edge: edge.scroll(qe.ScrollRequest(limit=100)))
    return [record.id for record in found]


async def test_a_write_is_numbered_and_read_at_once(shard: Shard) -> None:
    numbers = [await shard.write(upsert(1, 2)), await shard.write(upsert(3))]

    assert numbers == [1, 2]
    assert points(shard) == [1, 2, 3]
    assert shard.points_written == 3


async def test_what_the_engine_refuses_is_the_callers_fault(shard: Shard) -> None:
    wrong = qe.UpdateOperation.upsert_points([qe.Point(1, {"other": [1.0, 2.0]})])

    with pytest.raises(BadRequest, match="Not existing vector name error: other"):
        await shard.write(Write(lambda _: iter([wrong])))


async def test_no_write_is_acknowledged_once_the_log_cannot_be_synced(shard: Shard) -> None:
    await shard.write(upsert(1))
    log = shard.path / "wal"
    log.rename(shard.path / "elsewhere")

    with pytest.raises(StorageFailed):
        await shard.write(upsert(2))
    # A sync that succeeds later would prove nothing about what the failed one lost.
    (shard.path / "elsewhere").rename(log)
    with pytest.raises(StorageFailed, match="writes are stopped until a restart"):
        await shard.write(upsert(3))

    assert shard.stopped
    assert 1 in points(shard)
    assert 3 not in points(shard)


async def test_a_log_file_that_the_engine_removes_meanwhile_stops_no_write(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen after 10,000 points: a file of the log went between a look and a sync."""
    passing = shard.path / "wal" / "passing"
    passing.write_bytes(b"flushed into a segment")
    synced: list[str] = []

    def sync(path: Path) -> None:
        if path == passing:
            passing.unlink(missing_ok=True)
        synced.append(path.name)
        really(path)

    really = disk.sync
    monkeypatch.setattr(disk, "sync", sync)

    await shard.write(upsert(1))

    assert not shard.stopped
    assert synced[-1] == "wal"
    left = sorted(path.name for path in (shard.path / "wal").iterdir())
    assert synced[-1 - len(left) : -1] == left, "all that is left was synced once more"


async def test_a_copy_takes_over_with_everything_written_meanwhile(shard: Shard, tmp_path: Path) -> None:
    published: list[Path] = []
    await shard.write(upsert(1, 2))

    await shard.copy(tmp_path / "shard-1")
    await shard.write(upsert(3))
    await shard.write(writes.delete({"points": [1]}, SCHEMA))
    replayed = await shard.replace(tmp_path / "shard-1", published.append)
    await shard.write(upsert(4))

    assert replayed == 2
    assert published == [shard.path] == [tmp_path / "shard-1"]
    assert points(shard) == [2, 3, 4]


async def test_the_copy_replays_what_the_original_refused_and_goes_on(shard: Shard, tmp_path: Path) -> None:
    def failing(_: qe.EdgeShard) -> Iterator[qe.UpdateOperation]:
        yield qe.UpdateOperation.set_payload([7], {"n": 1})

    await shard.copy(tmp_path / "shard-1")
    with pytest.raises(Exception, match="No point with id 7"):
        await shard.write(Write(failing))
    await shard.write(upsert(1))
    await shard.replace(tmp_path / "shard-1", lambda _: None)

    assert points(shard) == [1]


async def test_a_copy_that_cannot_be_published_stops_the_writes_and_keeps_the_reads(
    shard: Shard, tmp_path: Path
) -> None:
    def full(_: Path) -> None:
        raise OSError("no space left on device")

    await shard.write(upsert(1))
    await shard.copy(tmp_path / "shard-1")

    with pytest.raises(StorageFailed, match="no space left"):
        await shard.replace(tmp_path / "shard-1", full)

    assert points(shard) == [1]
    with pytest.raises(StorageFailed):
        await shard.write(upsert(2))


async def test_a_closed_shard_takes_no_write(tmp_path: Path) -> None:
    qe.EdgeShard.create(str(tmp_path / "s"), CONFIG).close()
    shard = Shard(tmp_path / "s")
    await shard.close()

    with pytest.raises(EngineFailed, match="was closed"):
        await shard.write(upsert(1))
