"""A step by name in, its result out: all that the order of things asks of whoever runs it."""

import asyncio
from typing import Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, FailureError

from apex_memory.domain.queues import Queue, prefix_of
from apex_memory.domain.value import Value
from apex_memory.workflows.attributes import Stage, show_stage
from apex_memory.workflows.policies import AT_HAND, ELSEWHERE, ONCE, options

T = TypeVar("T")


class Steps(Protocol):
    """Who runs a workflow's activities and shows how far it is."""

    @property
    def cancelled(self) -> str | None:
        """What was said by whoever cancelled this run; None: nobody did."""
        ...

    async def run(
        self, name: str, queue: Queue, argument: Value, result: type[T], *, summary: str | None = None
    ) -> T:
        """The activity's result, however many attempts it takes.

        Raises:
            FailureError: it can never succeed, or this run was cancelled.
        """
        ...

    def show(self, stage: Stage) -> None: ...

    def say(self, details: str) -> None: ...


class TemporalSteps:
    """Within a workflow: activities on the queues beside its own."""

    def __init__(self) -> None:
        self._prefix = prefix_of(workflow.info().task_queue)

    @property
    def cancelled(self) -> str | None:
        return workflow.cancellation_reason()

    async def run(
        self, name: str, queue: Queue, argument: Value, result: type[T], *, summary: str | None = None
    ) -> T:
        return await workflow.execute_activity(
            name, argument, result_type=result, summary=summary, **options(queue, prefix=self._prefix)
        )

    def show(self, stage: Stage) -> None:
        show_stage(stage)

    def say(self, details: str) -> None:
        workflow.set_current_details(details)


class SmallSteps(TemporalSteps):
    """Of a small batch: each step is tried once by the workflow's own worker, as a local activity.

    A local activity costs the server one line in the history, once all of them are done. What fails, or takes
    longer than a moment, is run again as an activity, whose waits, attempts and failures can be seen.
    """

    async def run(
        self, name: str, queue: Queue, argument: Value, result: type[T], *, summary: str | None = None
    ) -> T:
        if queue in AT_HAND and name not in ELSEWHERE:
            try:
                return await workflow.execute_local_activity(
                    name, argument, result_type=result, summary=summary, **ONCE
                )
            except FailureError as failure:
                if not _may_succeed(failure) or _cancelling():
                    raise
                _count_handed_on(name)
        return await super().run(name, queue, argument, result, summary=summary)


def _count_handed_on(step: str) -> None:
    """Not while it is replayed: the SDK sees to that."""
    counter = workflow.metric_meter().create_counter("apex_small_steps_handed_on")
    counter.with_additional_attributes({"step": step}).add(1)


def _may_succeed(failure: FailureError) -> bool:
    """Not what a cancel ended, nor what the activity itself said can never succeed."""
    cause = failure.cause if isinstance(failure, ActivityError) else failure
    if isinstance(cause, ApplicationError):
        return not cause.non_retryable
    return not isinstance(cause, CancelledError)


def _cancelling() -> bool:
    """Whether this step is wanted no more: what was cancelled may still end with a failure of its own."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
