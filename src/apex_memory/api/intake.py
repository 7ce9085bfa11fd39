"""An event in, the answer to its sender out: who may repeat it, and where to ask how it fares."""

import re
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

import structlog
from fastapi import Depends, Header, Response

from apex_memory.api.auth import Tenant
from apex_memory.api.models import IngestionAccepted, ProblemDetail
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory
from apex_memory.domain.ledger import Accepted, InboxEvent

#: Bare or as a structured string, "in quotes"; visible ASCII, as a header can carry it unchanged.
_SHAPE: Final = re.compile(r'"?([\x21\x23-\x7e]{1,255})"?')

log = structlog.get_logger()

IdempotencyKey = Annotated[
    str | None,
    Header(
        description="1 to 255 visible characters, unique for the tenant and source. The same key is taken in "
        "once, whatever comes with it: repeat a request whose answer was lost under the same key."
    ),
]


async def _within_allowance(tenant_id: Tenant, memory: OpenMemory) -> None:
    """Before the body is read: what is too much costs a look at the key and no more."""
    memory.allowances.tenants.spend(tenant_id)


WITHIN_ALLOWANCE: Final = Depends(_within_allowance)


def dedupe_key(given: str | None, *, event_id: UUID) -> str:
    """What makes a repetition one: the sender's key, or without one the event itself.

    Raises:
        Refused: 422, the key is malformed.
    """
    if given is None:
        return str(event_id)
    match = _SHAPE.fullmatch(given)
    if match is None:
        error = ProblemDetail(detail="expected 1 to 255 visible characters", parameter="Idempotency-Key")
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "The Idempotency-Key is malformed.", errors=[error])
    return match[1]


def answer_for(accepted: Accepted, event: InboxEvent, response: Response) -> IngestionAccepted:
    """202 and a place to look; 200 for what was taken in before."""
    url = f"/v1/ingestions/{accepted.event_id}"
    response.headers["Location"] = url
    response.status_code = HTTPStatus.OK if accepted.duplicate else HTTPStatus.ACCEPTED
    log.info(
        "event.accepted",
        source=event.source,
        kind=event.kind,
        event_id=str(accepted.event_id),
        duplicate=accepted.duplicate,
        size=len(event.body),
    )
    return IngestionAccepted(ingestion_id=accepted.event_id, status_url=url, duplicate=accepted.duplicate)
