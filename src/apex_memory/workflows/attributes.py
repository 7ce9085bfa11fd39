"""The search attributes by which an operator tells workflows apart in the Temporal UI."""

from enum import StrEnum
from typing import Final

from temporalio import workflow
from temporalio.common import SearchAttributeKey

TENANT_ID: Final = SearchAttributeKey.for_keyword("ApexTenantId")
SOURCE: Final = SearchAttributeKey.for_keyword("ApexSource")
ITEM_ID: Final = SearchAttributeKey.for_keyword("ApexItemId")
STAGE: Final = SearchAttributeKey.for_keyword("ApexStage")

ALL: Final = (TENANT_ID, SOURCE, ITEM_ID, STAGE)


class Stage(StrEnum):
    """How far an ingestion is; only what someone would filter by."""

    STAGING = "staging"
    WRITING = "writing"
    UNDOING = "undoing"
    ERASING = "erasing"
    #: Of a feed: it is read as it should be.
    POLLING = "polling"
    #: Of a feed: its source will not be asked like this; somebody must mend something.
    REFUSED = "refused"
    DONE = "done"
    FAILED = "failed"


def show_stage(stage: Stage) -> None:
    """Within a workflow: what the list in the Temporal UI says of it from now on."""
    workflow.upsert_search_attributes([STAGE.value_set(stage)])  # pyright: ignore[reportUnknownMemberType] - the SDK's
