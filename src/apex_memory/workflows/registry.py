"""Every workflow that the workflows queue runs; a test compares this with the folder."""

from typing import Final

from apex_memory.domain.bundles import ItemKind
from apex_memory.workflows.feed import SourceFeedWorkflow
from apex_memory.workflows.forget import ForgetWorkflow
from apex_memory.workflows.ingest_document import DocumentIngestionWorkflow
from apex_memory.workflows.ingest_records import StructuredDataIngestionWorkflow
from apex_memory.workflows.rebuild import RebuildWorkflow
from apex_memory.workflows.reconcile import ReconcileWorkflow
from apex_memory.workflows.upkeep import (
    CollectGarbageWorkflow,
    ExpireStagingWorkflow,
    ReapWorkflow,
    SweepWorkflow,
)

WORKFLOWS: Final = (
    DocumentIngestionWorkflow,
    StructuredDataIngestionWorkflow,
    ForgetWorkflow,
    SourceFeedWorkflow,
    ReapWorkflow,
    SweepWorkflow,
    CollectGarbageWorkflow,
    ExpireStagingWorkflow,
    ReconcileWorkflow,
    RebuildWorkflow,
)

#: Which workflow takes in which kind of event.
WORKFLOW_OF: Final[dict[ItemKind, type]] = {
    "record": StructuredDataIngestionWorkflow,
    "document": DocumentIngestionWorkflow,
}
