"""One root prefix in, the name of every task queue out; a test with its own prefix is alone."""

from enum import StrEnum


class Queue(StrEnum):
    """One queue a resource, one worker script a queue."""

    WORKFLOWS = "workflows"
    STAGE = "stage"
    EXTRACT = "extract"
    EMBED = "embed"
    WRITE = "write"
    MAINTAIN = "maintain"

    def named(self, prefix: str) -> str:
        return f"{prefix}-{self}"


def prefix_of(workflow_queue: str) -> str:
    """The root prefix, from the queue a workflow runs on."""
    return workflow_queue.removesuffix(f"-{Queue.WORKFLOWS}")
