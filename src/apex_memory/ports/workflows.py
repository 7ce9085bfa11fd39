"""A workflow's id in, whether it still runs out."""

from typing import Protocol

from apex_memory.domain.upkeep import WorkflowState


class Workflows(Protocol):
    """What is known of workflows, by those who clean up behind them."""

    async def state(self, workflow_id: str) -> WorkflowState:
        """Of its newest run. Raises StoreUnavailable: nobody can say, which is not `UNKNOWN`."""
        ...
