"""Each script under workers/ polls its queue and ends in order at SIGTERM."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from apex_memory.domain.queues import Queue
from apex_memory.settings import ENV_PREFIX, Settings, process_environment

pytestmark = pytest.mark.integration

WORKERS = Path(__file__).parents[2] / "workers"


def _environment(settings: Settings) -> dict[str, str]:
    given = (
        "postgres_url",
        "qdrant_url",
        "neo4j_url",
        "redis_url",
        "temporal_address",
        "queue_prefix",
        "staging_dir",
    )
    return process_environment() | {
        f"{ENV_PREFIX}{name.upper()}": str(getattr(settings, name)) for name in given
    }


async def _lines_until(process: asyncio.subprocess.Process, event: str) -> list[str]:
    assert process.stderr
    lines: list[str] = []
    while line := (await process.stderr.readline()).decode():
        lines.append(line)
        if event in line:
            break
    return lines


@pytest.mark.parametrize("queue", list(Queue), ids=str)
async def test_a_worker_script_polls_its_queue_until_it_is_told_to_end(
    settings: Settings, queue: Queue
) -> None:
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, str(WORKERS / f"{queue}.py")),
        env=_environment(settings),
        stderr=asyncio.subprocess.PIPE,
    )

    started = await _lines_until(worker, "worker.ready")
    worker.send_signal(signal.SIGTERM)
    _, rest = await worker.communicate()

    assert queue.named(settings.queue_prefix) in started[-1], "".join(started)
    assert worker.returncode == 0, rest.decode()
    assert "worker.stopping" in rest.decode()


async def test_a_worker_without_settings_names_every_one_that_is_missing(tmp_path: Path) -> None:
    environment = {k: v for k, v in process_environment().items() if not k.startswith(ENV_PREFIX)}
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, str(WORKERS / "stage.py")),
        env=environment | {"APEX_HOME": str(tmp_path)},
        stderr=asyncio.subprocess.PIPE,
    )

    _, errors = await worker.communicate()

    assert worker.returncode != 0
    assert all(
        name in errors.decode() for name in ("APEX_POSTGRES_URL", "APEX_TEMPORAL_ADDRESS", "apex dev up")
    )
