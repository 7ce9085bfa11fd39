"""Each script under workers/ polls its queue and ends in order at SIGTERM; what a worker process opens."""

import asyncio
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from apex_memory.bootstrap.activities import activities_of
from apex_memory.domain.queues import Queue
from apex_memory.settings import ENV_PREFIX, Settings, process_environment
from apex_memory.workflows.policies import AT_HAND

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


async def test_one_process_opens_what_two_of_its_queues_use_once(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        opened = await activities_of(list(Queue), settings, stack)

    assert set(opened) == set(Queue)
    # Bound methods are equal if they are of one object.
    assert opened[Queue.WORKFLOWS] == [each for queue in AT_HAND for each in opened[queue]]


async def test_the_workflows_own_process_serves_no_other_queue(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        opened = await activities_of([Queue.WORKFLOWS], settings, stack)

    assert list(opened) == [Queue.WORKFLOWS]
    assert len(opened[Queue.WORKFLOWS]) > len(AT_HAND)
