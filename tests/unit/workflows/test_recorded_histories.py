"""Histories recorded by earlier code replay with today's: a run in flight survives a deployment."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer
from tests.doubles.sandbox import sandbox

from apex_memory.workflows.registry import WORKFLOWS

HISTORIES = sorted((Path(__file__).parents[2] / "data" / "histories").glob("*.json"))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda p: p.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS, workflow_runner=sandbox(), data_converter=pydantic_data_converter
    )

    await replayer.replay_workflow(WorkflowHistory.from_json(path.stem, path.read_text()))


def test_every_workflow_has_a_recorded_history() -> None:
    recorded = "".join(path.read_text() for path in HISTORIES)

    assert [w.__name__ for w in WORKFLOWS if f'"{w.__name__}"' not in recorded] == []
