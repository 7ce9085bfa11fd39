"""A tenant in, its vendors' webhooks out: signed as each of them signs, in the shapes that they send."""

import json
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from tests.contracts.endpoints_contract import an_endpoint
from tests.doubles.sources import API_KEY, LOGIN, TOKEN, SourcesDouble
from tests.integration.workflows.product import settled
from tests.unit.hooks.senders import front_application, front_rule, token
from tests.unit.sources.payloads import payload

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.connections import BearerCredentials, TurvoCredentials
from apex_memory.domain.hooks import Delivery, Endpoint, Receipt
from apex_memory.domain.ledger import Ingestion

Json = dict[str, Any]

SECRET: Final = "a secret that only the vendor knows"
PROOFS: Final = {"token": token, "front_application": front_application, "front_rule": front_rule}
ACCOUNT: Final = TurvoCredentials(
    username=LOGIN[0], password=LOGIN[1], client_id="publicapi", client_secret="a secret", api_key=API_KEY
)
SAM: Final[Json] = {"id": "tea_188ud", "email": "sam@acme.example", "first_name": "Sam"}


class Vendor(NamedTuple):
    """One sender's webhook of one tenant."""

    memory: Memory
    tenant: str
    endpoint: Endpoint

    async def pushes(self, record: Json) -> Receipt:
        body, now = json.dumps(record).encode(), datetime.now(UTC)
        headers = PROOFS[self.endpoint.scheme](SECRET, body, int(now.timestamp()))
        delivery = Delivery(headers=headers, body=body)
        return await self.memory.gateway.receive(
            self.endpoint.source, self.endpoint.endpoint_id, delivery, now=now
        )

    async def ends(self, record: Json) -> Ingestion:
        """Push it, and wait for what becomes of it."""
        receipt = await self.pushes(record)
        assert receipt.event_id
        return await self.settled(receipt.event_id)

    async def settled(self, event_id: UUID) -> Ingestion:
        return await settled(self.memory, self.tenant, event_id)


async def vendor(memory: Memory, tenant: str, source: str, scheme: str) -> Vendor:
    endpoint = an_endpoint().model_copy(update={"source": source, "scheme": scheme})
    await memory.endpoints.create(tenant, endpoint, secret=SECRET)
    return Vendor(memory, tenant, endpoint)


async def connect(memory: Memory, tenant: str, source: str, double: SourcesDouble) -> None:
    """The tenant's account at the double."""
    credentials = ACCOUNT if source == "turvo" else BearerCredentials(token=TOKEN)
    await memory.connections.put(tenant, source, base_url=double.base_url, credentials=credentials)


def status_update(key: str, at: str) -> Json:
    """Turvo's thin webhook."""
    record = payload("turvo/01_webhook_status_update_en_route")
    record["eventTime"] = at
    record["eventPayload"]["status"]["code"] = {"key": key}
    return record


def shipment(custom_id: str, *history: tuple[str, str]) -> Json:
    """Turvo's answer about the shipment of `status_update`: how it stood since when, oldest first."""
    answer = payload("turvo/03_shipment_detail_multi_stop_very_long")
    rows = [{"code": {"key": key}, "lastUpdatedOn": at} for key, at in history]
    answer["details"] |= {"customId": custom_id, "statusHistory": rows[::-1]}
    answer["details"]["status"]["code"] = rows[-1]["code"]
    return answer


def inbound(custom_id: str) -> Json:
    """Front's whole message, by an application's webhook: somebody asks where a shipment is."""
    told = json.dumps(payload("frontapp/01_app_inbound_received_full"))
    return json.loads(told.replace("M290969", custom_id))


def of_rule(record: Json) -> Json:
    """The same event as a rule's webhook sends it."""
    return record["payload"]


def preview() -> Json:
    return payload("frontapp/02_app_inbound_received_preview_only")


def happening(event_id: str, kind: str, target: Json, *, at: float, status: str) -> Json:
    """What Sam did to the conversation of `inbound`, by an application's webhook."""
    event = payload("frontapp/01_app_inbound_received_full")["payload"]
    event |= {"id": event_id, "type": kind, "emitted_at": at, "target": {"data": target}}
    event["source"] = {"_meta": {"type": "teammate"}, "data": SAM}
    event["conversation"] |= {"status": status, "subject": None}
    envelope = {"assign": "assignee_changed", "tag": "tag_added"}[kind]
    return {"type": envelope, "authorization": {"id": "cmp_abc"}, "payload": event}
