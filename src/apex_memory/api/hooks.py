"""A webhook delivery in, proven and kept; 202 for a new event, 200 for one that was sent again, out."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response

from apex_memory.api.body import capped, media_type
from apex_memory.api.documented import problems
from apex_memory.api.hook_models import Challenge, DeliveryAccepted
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.domain.hooks import Delivery

#: Kinds of body in which no sender of webhooks puts an event.
_NO_EVENT: Final = ("multipart/", "image/", "audio/", "video/", "font/")

router = APIRouter(prefix="/v1/hooks", tags=["webhooks"])

log = structlog.get_logger()


@router.post(
    "/{source}/{endpoint_id}",
    operation_id="receiveDelivery",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        200: {"model": DeliveryAccepted | Challenge},
        **problems(401, 404, 410, 413, 415, 422, 429, 503),
    },
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {}}}},
)
async def receive_delivery(
    request: Request, source: str, endpoint_id: str, memory: OpenMemory, response: Response
) -> DeliveryAccepted | Challenge:
    """For senders, who need no API key: the URL says whose endpoint it is, the signature who may use it.

    A `2xx` means durable, and never waits for what becomes of it. What proves itself and cannot be read is
    kept as a dead letter, and is a `202` too.
    """
    if media_type(request).startswith(_NO_EVENT):
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the event as application/json.")
    body = b"".join([piece async for piece in capped(request, limit=memory.settings.max_record_bytes)])
    delivery = Delivery(headers=_headers(request), body=body)
    receipt = await memory.gateway.receive(source, endpoint_id, delivery, now=datetime.now(UTC))
    if receipt.event_id is None:
        response.status_code = HTTPStatus.OK
        return Challenge(challenge=receipt.challenge or "")
    response.status_code = HTTPStatus.OK if receipt.duplicate else HTTPStatus.ACCEPTED
    log.info(
        "delivery.accepted",
        source=source,
        event_id=str(receipt.event_id),
        duplicate=receipt.duplicate,
        size=len(body),
    )
    return DeliveryAccepted(event_id=receipt.event_id, duplicate=receipt.duplicate)


def _headers(request: Request) -> dict[str, str]:
    """Of a header that is sent twice, both values: a scheme that allows for one refuses the other."""
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
