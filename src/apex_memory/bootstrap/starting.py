"""A batch in, the id of its one workflow out, whoever starts it and however often; what all starts share."""

from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final

from temporalio.client import Client
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from apex_memory.domain import ids
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import Batch
from apex_memory.domain.messages import IngestBatch
from apex_memory.domain.queues import Queue
from apex_memory.settings import SMALL_BATCH
from apex_memory.workflows.attributes import ITEM_ID, SOURCE, STAGE, TENANT_ID, Stage
from apex_memory.workflows.policies import MISSED_AFTER
from apex_memory.workflows.registry import WORKFLOW_OF

_FAIRNESS_KEY_LENGTH: Final = 64


async def start_batch(temporal: Client, batch: Batch, *, queue_prefix: str, small: int = SMALL_BATCH) -> str:
    """The id is the batch's, so it starts once. Raises StoreUnavailable: it may or may not have started."""
    workflow_id = workflow_of(batch)
    with started_once():
        await temporal.start_workflow(
            WORKFLOW_OF[batch.kind].__name__,
            IngestBatch(**batch.model_dump(), small=batch.kind == "record" and batch.size <= small),
            id=workflow_id,
            task_queue=Queue.WORKFLOWS.named(queue_prefix),
            task_timeout=MISSED_AFTER,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=_attributes(batch),
            priority=fair(batch.tenant_id),
            static_summary=f"{batch.source}: {batch.label}"[: ids.LABEL_LENGTH],
        )
    return workflow_id


def workflow_of(batch: Batch) -> str:
    return ids.ingestion_workflow_id(batch.tenant_id, batch.source, batch.label, batch.batch_id)


def fair(tenant_id: str) -> Priority:
    """One tenant's flood does not hold up the others' activities either."""
    return Priority(fairness_key=tenant_id[:_FAIRNESS_KEY_LENGTH])


@contextmanager
def started_once() -> Generator[None]:
    """Who finds a workflow started already has what was wanted. Raises StoreUnavailable."""
    try:
        with suppress(WorkflowAlreadyStartedError):
            yield
    except RPCError as exc:
        raise StoreUnavailable("temporal", str(exc)) from exc


def _attributes(batch: Batch) -> TypedSearchAttributes:
    pairs = [
        SearchAttributePair(TENANT_ID, batch.tenant_id),
        SearchAttributePair(SOURCE, batch.source),
        SearchAttributePair(STAGE, Stage.STAGING),
    ]
    if batch.size == 1:
        # The label of a single event is its item's external id.
        item_id = ids.item_id(batch.tenant_id, batch.source, batch.label)
        pairs.append(SearchAttributePair(ITEM_ID, str(item_id)))
    return TypedSearchAttributes(pairs)
