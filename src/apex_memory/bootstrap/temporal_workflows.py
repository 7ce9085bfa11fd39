"""A workflow's id in, what Temporal says of it out."""

from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.upkeep import WorkflowState

_STATE_OF: Final = {
    WorkflowExecutionStatus.RUNNING: WorkflowState.RUNNING,
    WorkflowExecutionStatus.COMPLETED: WorkflowState.COMPLETED,
    WorkflowExecutionStatus.FAILED: WorkflowState.FAILED,
    WorkflowExecutionStatus.CANCELED: WorkflowState.CANCELLED,
    WorkflowExecutionStatus.TERMINATED: WorkflowState.TERMINATED,
    # Its next run goes on with the work.
    WorkflowExecutionStatus.CONTINUED_AS_NEW: WorkflowState.RUNNING,
    WorkflowExecutionStatus.TIMED_OUT: WorkflowState.TIMED_OUT,
}


class TemporalWorkflows:
    """Implements `ports.Workflows` over the state that Temporal decides by; its lists may be behind."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def state(self, workflow_id: str) -> WorkflowState:
        try:
            described = await self._client.get_workflow_handle(workflow_id).describe()
        except RPCError as exc:
            if exc.status is RPCStatusCode.NOT_FOUND:
                return WorkflowState.UNKNOWN
            raise StoreUnavailable("temporal", str(exc)) from exc
        except RuntimeError as exc:  # a lazy client that cannot connect
            raise StoreUnavailable("temporal", str(exc)) from exc
        # A state that this release does not know yet (paused, for one) is not over.
        return (
            _STATE_OF.get(described.status, WorkflowState.RUNNING)
            if described.status
            else WorkflowState.RUNNING
        )
