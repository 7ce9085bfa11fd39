"""Every workflow that the workflows queue runs; a test compares this with the folder."""

from typing import Final

from apex_memory.domain.bundles import ItemKind
from apex_memory.workflows.ingest_document import DocumentIngestionWorkflow
from apex_memory.workflows.ingest_records import StructuredDataIngestionWorkflow

WORKFLOWS: Final = (DocumentIngestionWorkflow, StructuredDataIngestionWorkflow)

#: Which workflow takes in which kind of event.
WORKFLOW_OF: Final[dict[ItemKind, type]] = {
    "record": StructuredDataIngestionWorkflow,
    "document": DocumentIngestionWorkflow,
}
