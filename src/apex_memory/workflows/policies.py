"""Every timeout and retry of the workflows, side by side."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from apex_memory.domain.queues import Queue

#: A killed worker is missed after this long, and its activity, or its workflow task, begins again elsewhere.
MISSED_AFTER: Final = timedelta(seconds=5)

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

#: Queues whose activities the workflows' own workers have at hand too, for small batches.
AT_HAND: Final = (Queue.STAGE, Queue.EXTRACT, Queue.EMBED, Queue.WRITE)
#: What waits for others: nobody may wait for it in a workflow task.
ELSEWHERE: Final = frozenset({"complete_records_activity"})

#: Keyword arguments of `execute_local_activity`. Slower than this is no small step.
ONCE: Final[Mapping[str, Any]] = {
    "start_to_close_timeout": timedelta(seconds=2),
    "retry_policy": RetryPolicy(maximum_attempts=1),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}


def options(queue: Queue, *, prefix: str) -> dict[str, Any]:
    """Keyword arguments of `execute_activity` for an activity on `queue`."""
    return {
        "task_queue": queue.named(prefix),
        "start_to_close_timeout": _START_TO_CLOSE[queue],
        "heartbeat_timeout": MISSED_AFTER,
        "retry_policy": _RETRY,
        # Undoing must not begin while the write it undoes may still run.
        "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
    }
