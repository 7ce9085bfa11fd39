"""Workflow ids and their states in, the same states out: Workflows without Temporal."""

from apex_memory.domain.upkeep import WorkflowState


class MemoryWorkflows:
    """Implements `ports.Workflows`; what was never noted is unknown."""

    def __init__(self) -> None:
        self._states: dict[str, WorkflowState] = {}

    def note(self, workflow_id: str, state: WorkflowState) -> None:
        """From now on the workflow is in this state."""
        self._states[workflow_id] = state

    async def state(self, workflow_id: str) -> WorkflowState:
        return self._states.get(workflow_id, WorkflowState.UNKNOWN)
