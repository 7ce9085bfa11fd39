"""A document in, its passages and the entities it names remembered."""

from typing import Final

from temporalio import workflow

from apex_memory.domain.messages import IngestBatch, IngestResult
from apex_memory.domain.queues import Queue
from apex_memory.workflows.ingest import Preparation, ingest
from apex_memory.workflows.steps import TemporalSteps

_PREPARATION: Final = Preparation(
    stage="pull_and_stage_document_activity",
    read=(
        ("parse_document_activity", Queue.STAGE),
        ("extract_entities_from_document_activity", Queue.EXTRACT),
    ),
    embed="generate_embeddings_from_document_activity",
)


@workflow.defn
class DocumentIngestionWorkflow:
    """One file: staged, parsed, cut into passages, embedded, written to every store, cleaned up after."""

    @workflow.run
    async def run(self, batch: IngestBatch) -> IngestResult:
        return await ingest(batch, _PREPARATION, TemporalSteps())
