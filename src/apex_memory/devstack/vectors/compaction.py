"""A shard that grew in, the same shard optimised out, while it goes on reading and writing."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from apex_memory.devstack.vectors import optimise
from apex_memory.devstack.vectors.errors import EngineFailed
from apex_memory.devstack.vectors.shard import Shard

_MODULE: Final = "apex_memory.devstack.vectors.optimise"
_log = structlog.get_logger()


async def compact(shard: Shard, publish: Callable[[Path], None]) -> bool:
    """Optimise a copy in a child process and continue in it; whether there was anything to do.

    `publish` is given the new directory, synced, and makes it the one that the next start opens.

    Raises:
        EngineFailed: the copy or the child failed; the shard is as it was.
        StorageFailed: the copy could not be published; the shard takes no more writes.
    """
    source = shard.path
    target = source.with_name(f"shard-{time.time_ns()}")
    began = time.monotonic()
    try:
        replayed = await _continue_in_copy(shard, target, publish)
    finally:
        shard.forget_copy()
        # Once stopped, either may be the one that the next start opens; it removes the other.
        if not shard.stopped:
            unused = source if shard.path == target else target
            await asyncio.to_thread(shutil.rmtree, unused, ignore_errors=True)
    if replayed is None:
        return False
    seconds = round(time.monotonic() - began, 3)
    _log.info("collection.optimised", shard=str(target), replayed=replayed, seconds=seconds)
    return True


async def _continue_in_copy(shard: Shard, target: Path, publish: Callable[[Path], None]) -> int | None:
    try:
        await shard.copy(target)
        return await shard.replace(target, publish) if await _optimised(target) else None
    except (OSError, subprocess.SubprocessError) as exc:
        raise EngineFailed(f"optimising a copy of {shard.path}: {exc}") from exc


async def _optimised(path: Path) -> bool:
    # Started by the event loop's own thread: the kernel ends the child with the thread that forked it, and a
    # pool's thread may end while the service lives.
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", _MODULE, str(path), str(os.getpid()), stdin=subprocess.DEVNULL
    )
    try:
        status = await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if status not in {0, optimise.NOTHING_TO_DO}:
        raise EngineFailed(f"optimising {path} ended with status {status}")
    return status == 0
