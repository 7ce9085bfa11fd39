"""The child process that optimises a copy."""

import os
import subprocess
import sys
from pathlib import Path

import qdrant_edge as qe

from apex_memory.devstack.vectors import optimise
from apex_memory.devstack.vectors.definitions import collection_config


def optimised(path: Path, *, parent: int) -> int:
    command = [sys.executable, "-m", "apex_memory.devstack.vectors.optimise", str(path), str(parent)]
    return subprocess.run(command, check=False).returncode


def test_it_merges_and_indexes_and_says_whether_it_did(tmp_path: Path) -> None:
    _, config = collection_config({"vectors": {"v": {"size": 8, "distance": "Dot"}}}, exact_below=1)
    shard = qe.EdgeShard.create(str(tmp_path / "s"), config)
    shard.update(qe.UpdateOperation.upsert_points([qe.Point(i, {"v": [1.0] * 8}) for i in range(100)]))
    shard.flush()
    shard.close()

    statuses = [optimised(tmp_path / "s", parent=os.getpid()) for _ in range(2)]

    info = qe.EdgeShard.load(str(tmp_path / "s")).info()
    assert statuses == [0, optimise.NOTHING_TO_DO]
    assert (info.points_count, info.indexed_vectors_count) == (100, 100)


def test_it_does_nothing_for_a_service_that_is_gone(tmp_path: Path) -> None:
    assert optimised(tmp_path / "missing", parent=1) == optimise.ORPHANED
