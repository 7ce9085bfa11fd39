"""JSON records of one source in, remembered by rule, without a model call."""

from typing import Final

from temporalio import workflow

from apex_memory.domain.messages import IngestBatch, IngestResult
from apex_memory.domain.queues import Queue
from apex_memory.workflows.ingest import Preparation, ingest
from apex_memory.workflows.steps import SmallSteps, TemporalSteps

_PREPARATION: Final = Preparation(
    stage="fetch_structured_data_activity",
    read=(("extract_entities_from_json_activity", Queue.EXTRACT),),
    embed="generate_embeddings_from_json_activity",
    complete="complete_records_activity",
)


@workflow.defn
class StructuredDataIngestionWorkflow:
    """One record, or a batch of them: all that can be mapped commit together, the others are quarantined."""

    @workflow.run
    async def run(self, batch: IngestBatch) -> IngestResult:
        return await ingest(batch, _PREPARATION, SmallSteps() if batch.small else TemporalSteps())
