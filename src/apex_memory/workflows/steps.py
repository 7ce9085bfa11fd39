"""A step by name in, its result out: all that the order of things asks of whoever runs it."""

from typing import Protocol, TypeVar

from temporalio import workflow

from apex_memory.domain.queues import Queue, prefix_of
from apex_memory.domain.value import Value
from apex_memory.workflows.attributes import Stage, show_stage
from apex_memory.workflows.policies import options

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
