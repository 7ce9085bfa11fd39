"""Every timeout and retry of the workflows, side by side."""

from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from apex_memory.domain.queues import Queue

#: A killed worker is missed after this long, and its activity starts again elsewhere.
_HEARTBEAT: Final = timedelta(seconds=5)

# No limit on attempts and no total time: an outage is a wait that an operator sees, for hours if need be.
# What can never succeed is raised as non-retryable by the activity itself.
_RETRY: Final = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=20),
)

_START_TO_CLOSE: Final = {
    Queue.STAGE: timedelta(minutes=2),
    Queue.EXTRACT: timedelta(minutes=2),
    # The largest document takes the local embedder over an hour; a dead worker is missed by its heartbeat.
    Queue.EMBED: timedelta(hours=6),
    Queue.WRITE: timedelta(minutes=2),
    Queue.MAINTAIN: timedelta(minutes=5),
}


def options(queue: Queue, *, prefix: str) -> dict[str, Any]:
    """Keyword arguments of `execute_activity` for an activity on `queue`."""
    return {
        "task_queue": queue.named(prefix),
        "start_to_close_timeout": _START_TO_CLOSE[queue],
        "heartbeat_timeout": _HEARTBEAT,
        "retry_policy": _RETRY,
        # Undoing must not begin while the write it undoes may still run.
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }
