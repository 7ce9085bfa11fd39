"""A workflow's failure in, the sentence that operators and producers read out."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError


def reason_of(failure: BaseException) -> str:
    """What happened, without the layers around it."""
    cause = failure.cause if isinstance(failure, ActivityError) and failure.cause else failure
    if isinstance(cause, asyncio.CancelledError | CancelledError):
        said = workflow.cancellation_reason()
        return f"cancelled: {said}" if said else "cancelled"
    if isinstance(cause, ApplicationError):
        return f"{cause.type}: {cause.message}"
    return str(cause)
