"""What an operator sees of the steps that a workflow's own worker takes."""

from collections import Counter
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from tests.integration.spoilt import Forgetful
from tests.integration.workflows.product import accept_record, at_work, settled

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.ledger import Outcome
from apex_memory.settings import Settings

pytestmark = pytest.mark.integration

RECORD = {"shipmentId": "SHIP-1", "status": "in_transit"}


async def test_a_step_that_became_an_activity_is_counted_under_its_name(
    settings: Settings, memory: Memory, tenant: str
) -> None:
    metrics = MetricBuffer(100_000)
    temporal = await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        data_converter=pydantic_data_converter,
        runtime=Runtime(telemetry=TelemetryConfig(metrics=metrics)),
    )

    def forgetful(ledger: Any) -> Any:
        return Forgetful(ledger)

    async with at_work(settings, temporal, spoil_ledger=forgetful):
        event = await accept_record(memory, tenant, "turvo", RECORD, label="SHIP-1")
        ingestion = await settled(memory, tenant, event)

    assert ingestion.outcome is Outcome.COMMITTED
    handed_on = Counter[object]()
    for update in metrics.retrieve_updates():
        if update.metric.name == "apex_small_steps_handed_on":
            handed_on[update.attributes["step"]] += int(update.value)
    # A store that has just started may have been slow too: others may stand beside it.
    assert handed_on["commit_versions_activity"] == 1
