"""Queues in, workers that poll them until SIGTERM out."""

import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from apex_memory.activities.failures import ActivityEdge
from apex_memory.bootstrap.activities import Activities, activities_of
from apex_memory.bootstrap.backlog import showing_backlog
from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.schedules import ensure_schedules
from apex_memory.domain.queues import Queue
from apex_memory.observability import configure_logging
from apex_memory.process import termination
from apex_memory.settings import Settings
from apex_memory.workflows.policies import MISSED_AFTER
from apex_memory.workflows.registry import WORKFLOWS

#: Activities at a time in one process. Embedding is CPU: one more than a core waits for the core.
_AT_A_TIME: Final = {
    Queue.WORKFLOWS: 1,
    Queue.STAGE: 16,
    Queue.EXTRACT: 8,
    Queue.EMBED: 2,
    Queue.WRITE: 16,
    Queue.MAINTAIN: 8,
}

_LOCAL_AT_A_TIME: Final = 16

#: Accepting goes before working: on cores that they share, events wait in the inbox and not at the API's
#: door. Of 120 events/s, more than two slow cores worked off, 6 in 10 were turned away without this.
#: And small batches go before large ones: whoever sends little does not wait for whoever sends much.
_NICENESS_SMALL: Final = 3
_NICENESS_LARGE: Final = 8

log = structlog.get_logger()


async def run_workers(settings: Settings, queues: Sequence[Queue]) -> None:
    """Poll the queues until SIGTERM; running activities get `graceful_shutdown_s` to finish.

    Raises:
        StoreUnavailable: Temporal or PostgreSQL does not answer; the supervisor starts the process again.
    """
    os.nice(_NICENESS_SMALL if Queue.WORKFLOWS in queues else _NICENESS_LARGE)
    configure_logging(settings, process=f"worker:{','.join(queues)}")
    stop = termination()
    async with AsyncExitStack() as stack:
        temporal = await connect_temporal(settings)
        if Queue.MAINTAIN in queues:
            await ensure_schedules(temporal, settings)
            await stack.enter_async_context(showing_backlog(settings))
        for queue, activities in (await activities_of(queues, settings, stack)).items():
            await stack.enter_async_context(worker_with(activities, queue, settings, temporal))
        log.info("worker.ready", queues=[q.named(settings.queue_prefix) for q in queues])
        await stop.wait()
        log.info("worker.stopping")


def worker_with(
    activities: Activities,
    queue: Queue,
    settings: Settings,
    temporal: Client,
    *,
    runner: WorkflowRunner | None = None,
) -> Worker:
    """A worker for one queue with these activities, not yet started.

    `runner`: how workflows are run. Without it as they are: the SDK's sandbox, which tells code that is not
    deterministic, takes a third of the CPU of a small batch. Tests run every workflow in it.
    """
    return Worker(
        temporal,
        task_queue=queue.named(settings.queue_prefix),
        workflows=WORKFLOWS if queue is Queue.WORKFLOWS else (),
        activities=activities,
        interceptors=[ActivityEdge()],
        workflow_runner=runner or UnsandboxedWorkflowRunner(),
        max_concurrent_activities=_AT_A_TIME[queue],
        # Its activities are local ones, the steps of small batches; the others have queues of their own.
        no_remote_activities=queue is Queue.WORKFLOWS,
        max_concurrent_local_activities=_LOCAL_AT_A_TIME,
        # So long does a workflow wait for the worker that remembers it, before another one replays it.
        sticky_queue_schedule_to_start_timeout=MISSED_AFTER,
        graceful_shutdown_timeout=timedelta(seconds=settings.graceful_shutdown_s),
        max_heartbeat_throttle_interval=timedelta(seconds=2),
    )
