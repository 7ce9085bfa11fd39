"""A tenant's wish that a feed of its source is read in; the feeds, and how far each was read, out."""

from http import HTTPStatus
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends

from apex_memory.api.auth import Tenant
from apex_memory.api.body import Body, JsonBody
from apex_memory.api.documented import problems
from apex_memory.api.feed_models import FeedIn, FeedList
from apex_memory.api.models import ProblemDetail
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.domain.feeds import Feed
from apex_memory.pipeline.sources.feeds import feed_named

_FEED: Final = JsonBody(FeedIn)

router = APIRouter(prefix="/v1/feeds", tags=["intake"])

log = structlog.get_logger()


@router.put(
    "/{source}/{name}",
    operation_id="startFeed",
    responses=problems(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=_FEED.documented(),
)
async def start_feed(
    tenant_id: Tenant,
    source: str,
    name: str,
    memory: OpenMemory,
    body: Annotated[Body[FeedIn], Depends(_FEED)],
) -> Feed:
    """Read it from now on, or at another interval. It needs a connection to the source."""
    shortest = feed_named(source, name).shortest_interval_s
    interval_s = body.value.interval_s or shortest
    if interval_s < shortest:
        error = ProblemDetail(detail=f"the source asks for {shortest} or more", pointer="/interval_s")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "This feed cannot be read so often.", errors=[error])
    feed = await memory.feeds.start(tenant_id, source, name, interval_s=interval_s)
    log.info("feed.wanted", source=source, feed=name, interval_s=interval_s)
    return feed


@router.get("", operation_id="listFeeds", responses=problems(401, 503))
async def list_feeds(tenant_id: Tenant, memory: OpenMemory) -> FeedList:
    """By source and name, stopped ones too; each with what keeps it from being read, if anything does."""
    return FeedList(feeds=tuple(await memory.feeds.listed(tenant_id)))


@router.delete("/{source}/{name}", operation_id="stopFeed", responses=problems(401, 404, 422, 503))
async def stop_feed(tenant_id: Tenant, source: str, name: str, memory: OpenMemory) -> Feed:
    """Nothing more is taken in once this answers. Started again, it goes on where it was."""
    feed_named(source, name)  # what no source has is not looked for
    feed = await memory.feeds.stop(tenant_id, source, name)
    log.info("feed.stopped", source=source, feed=name, points=feed.points)
    return feed
