"""Wishes for feeds in; one workflow for each that is wanted, started again if it is gone, out."""

from typing import Final

import structlog
from temporalio.client import Client
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy

from apex_memory.bootstrap.starting import fair, started_once
from apex_memory.domain import ids
from apex_memory.domain.feeds import PollFeed
from apex_memory.domain.queues import Queue
from apex_memory.ports import Feeds
from apex_memory.workflows.attributes import SOURCE, STAGE, TENANT_ID, Stage
from apex_memory.workflows.feed import SourceFeedWorkflow

#: A feed that nobody has polled for so long may have lost its workflow.
LOOK_AGAIN_S: Final = 10.0

log = structlog.get_logger()


class Feeder:
    """Sees to it that every wanted feed has its workflow, one each, under an id of its own."""

    def __init__(
        self, *, feeds: Feeds, temporal: Client, queue_prefix: str, look_again_s: float = LOOK_AGAIN_S
    ) -> None:
        self._feeds = feeds
        self._temporal = temporal
        self._queue = Queue.WORKFLOWS.named(queue_prefix)
        self._look_again_s = look_again_s

    async def step(self) -> bool:
        """Look after one; False: none is due. Raises StoreUnavailable: it is looked after again later."""
        poll = await self._feeds.due(after_s=self._look_again_s)
        if poll is None:
            return False
        workflow_id = ids.feed_workflow_id(poll.tenant_id, poll.source, poll.name)
        with started_once():
            await self._temporal.start_workflow(
                SourceFeedWorkflow.__name__,
                poll,
                id=workflow_id,
                task_queue=self._queue,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                search_attributes=_attributes(poll),
                priority=fair(poll.tenant_id),
                static_summary=f"{poll.source}: {poll.name}",
            )
            # Not of one that was there already, and waits for its source or for its next poll.
            log.info("feed.started", tenant_id=poll.tenant_id, workflow_id=workflow_id)
        return True


def _attributes(poll: PollFeed) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(TENANT_ID, poll.tenant_id),
            SearchAttributePair(SOURCE, poll.source),
            SearchAttributePair(STAGE, Stage.POLLING),
        ]
    )
