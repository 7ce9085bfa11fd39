"""A workflow's failure in, the sentence that operators and producers read out."""

import asyncio

from temporalio.exceptions import ActivityError, ApplicationError, CancelledError


def reason_of(failure: BaseException, *, cancelled: str | None) -> str:
    """What happened, without the layers around it; `cancelled` is what was said at a cancel, if one came."""
    cause = failure.cause if isinstance(failure, ActivityError) and failure.cause else failure
    # An attempt that was under way when the cancel came may still report its own failure: it is not tried
    # again because of the cancel, which is therefore the reason.
    if cancelled is not None or isinstance(cause, asyncio.CancelledError | CancelledError):
        return f"cancelled: {cancelled}" if cancelled else "cancelled"
    if isinstance(cause, ApplicationError):
        return f"{cause.type}: {cause.message}"
    return str(cause)
