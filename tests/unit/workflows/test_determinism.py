"""Every registered workflow loads in Temporal's sandbox, without a server."""

from collections.abc import AsyncGenerator

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from tests.doubles.sandbox import sandbox

from apex_memory.workflows.registry import WORKFLOWS


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda w: w.__name__)
async def test_a_workflow_loads_in_the_sandbox(workflow: type) -> None:
    replayer = Replayer(
        workflows=[workflow], workflow_runner=sandbox(), data_converter=pydantic_data_converter
    )

    # Replaying nothing still validates each workflow; merely building the replayer does not.
    results = await replayer.replay_workflows(_no_histories())

    assert not results.replay_failures


async def _no_histories() -> AsyncGenerator[WorkflowHistory, None]:
    return
    yield
