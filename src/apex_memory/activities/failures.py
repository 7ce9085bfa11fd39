"""Domain errors in, Temporal failures out: the one place that decides whether an activity is tried again."""

import asyncio
from datetime import timedelta
from typing import Any

import structlog
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from apex_memory.domain.errors import CircuitOpen, PermanentError, RateLimited, TransientError
from apex_memory.process import beside

log = structlog.get_logger()


class ActivityEdge(Interceptor):
    """Wraps every activity: names its failure, logs it, and beats while it runs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 - the SDK's name
        return _Edge(next)


class _Edge(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002, ANN401 - the SDK's signature
        info = activity.info()
        structlog.contextvars.bind_contextvars(
            activity=info.activity_type, workflow_id=info.workflow_id, attempt=info.attempt
        )
        # A local activity has no heartbeat: its worker's death is its workflow task's.
        every = info.heartbeat_timeout / 3 if info.heartbeat_timeout and not info.is_local else None
        try:
            async with beside(_beat(every), name="beat"):
                return await super().execute_activity(input)
        except (PermanentError, TransientError) as exc:
            log.warning("activity.failed", error=type(exc).__name__, reason=str(exc), exc_info=exc.__cause__)
            # Without its cause: the drivers' tracebacks crowd the sentence out of the UI; they are logged.
            raise failure_of(exc) from None
        finally:
            structlog.contextvars.clear_contextvars()


def failure_of(error: PermanentError | TransientError) -> ApplicationError:
    """Temporal matches failures by exact type name, so it is the class's; a delay that it names is kept."""
    delay = timedelta(seconds=error.retry_after_s) if isinstance(error, RateLimited | CircuitOpen) else None
    return ApplicationError(
        str(error),
        type=type(error).__name__,
        non_retryable=isinstance(error, PermanentError),
        next_retry_delay=delay,
    )


async def _beat(every: timedelta | None) -> None:
    """Tell the server that this worker lives, so that a killed one is missed after one heartbeat timeout."""
    if every is None:
        return
    while True:
        # Not at once: that it began, the server knows, and each beat is a write of its own.
        await asyncio.sleep(every.total_seconds())
        activity.heartbeat()
