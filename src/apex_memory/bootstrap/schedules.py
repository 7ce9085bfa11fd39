"""Settings in, the upkeep's schedules in Temporal out: made once, and changed when an interval changes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepRun
from apex_memory.settings import Settings
from apex_memory.workflows.reconcile import ReconcileWorkflow
from apex_memory.workflows.upkeep import (
    CollectGarbageWorkflow,
    ExpireStagingWorkflow,
    ReapWorkflow,
    SweepWorkflow,
)

log = structlog.get_logger()


@dataclass(frozen=True)
class Scheduled:
    """A kind of upkeep: the name that `apex upkeep run` knows, what does it, how often."""

    name: str
    workflow: type
    every_s: Callable[[Settings], float]


#: All kinds of upkeep, in the order in which operators read them. A new one is a line here.
SCHEDULED: Final = (
    Scheduled("reap", ReapWorkflow, lambda s: s.reap_every_s),
    Scheduled("sweep", SweepWorkflow, lambda s: s.sweep_every_s),
    Scheduled("collect", CollectGarbageWorkflow, lambda s: s.collect_every_s),
    Scheduled("reconcile", ReconcileWorkflow, lambda s: s.reconcile_every_s),
    Scheduled("expire-staging", ExpireStagingWorkflow, lambda s: s.expire_staging_every_s),
)


def schedule_id(kind: Scheduled, settings: Settings) -> str:
    """By the queue prefix, so that a test's schedules are its own."""
    return f"{settings.queue_prefix}:upkeep:{kind.name}"


async def ensure_schedules(temporal: Client, settings: Settings) -> None:
    """Create what is missing and change what differs; any number of workers may do so at once.

    Raises:
        StoreUnavailable: Temporal does not answer.
    """
    try:
        for kind in SCHEDULED:
            await _ensure(temporal, kind, settings)
    except RPCError as exc:
        raise StoreUnavailable("temporal", str(exc)) from exc


async def _ensure(temporal: Client, kind: Scheduled, settings: Settings) -> None:
    id_, wanted = schedule_id(kind, settings), _schedule(kind, settings)
    try:
        await temporal.create_schedule(id_, wanted)
        log.info("schedule.created", schedule_id=id_, every_s=kind.every_s(settings))
    except ScheduleAlreadyRunningError:
        await temporal.get_schedule_handle(id_).update(lambda found: _changed(found, wanted))


def _changed(found: ScheduleUpdateInput, wanted: Schedule) -> ScheduleUpdate | None:
    schedule = found.description.schedule
    if schedule.spec.intervals == wanted.spec.intervals:
        return None
    log.info("schedule.changed", schedule_id=found.description.id)
    # An operator's pause stays.
    return ScheduleUpdate(Schedule(wanted.action, wanted.spec, wanted.policy, schedule.state))


def _schedule(kind: Scheduled, settings: Settings) -> Schedule:
    every = timedelta(seconds=kind.every_s(settings))
    return Schedule(
        action=ScheduleActionStartWorkflow(
            kind.workflow.__name__,
            UpkeepRun(),
            id=schedule_id(kind, settings),
            task_queue=Queue.WORKFLOWS.named(settings.queue_prefix),
            static_summary=f"upkeep: {kind.name}, all tenants",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        # What was missed while Temporal or the workers were away need not be made up for.
        policy=SchedulePolicy(
            overlap=ScheduleOverlapPolicy.SKIP, catchup_window=max(every, timedelta(seconds=10))
        ),
    )
