"""A stack's settings in, webhook senders with endpoints of their own out, each with a fleet."""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import orjson

from apex_memory.database import Database
from apex_memory.domain.hooks import Endpoint, HookSecret
from apex_memory.pipeline.intake.endpoints import PostgresEndpoints
from apex_memory.pipeline.intake.keys import PostgresApiKeys
from apex_memory.pipeline.intake.schemes import new_endpoint_id, new_secret, scheme_of
from apex_memory.pipeline.intake.seal import seal_of
from apex_memory.settings import Settings

_FLEET = 100


@dataclass(frozen=True)
class Sender:
    """One tenant with one endpoint."""

    tenant_id: str
    api_key: str
    endpoint: Endpoint
    secret: HookSecret

    @property
    def path(self) -> str:
        return f"/v1/hooks/{self.endpoint.source}/{self.endpoint.endpoint_id}"

    def signed(self, body: bytes) -> Mapping[str, str]:
        return scheme_of(self.endpoint).sign(body, self.secret, now=datetime.now(UTC))


@dataclass(frozen=True)
class Alert:
    """One event: what is posted, and the word that a search finds it by."""

    body: bytes
    word: str


async def new_sender(database: Database, settings: Settings, *, tenant_id: str) -> Sender:
    endpoint = Endpoint(
        endpoint_id=new_endpoint_id(),
        source="samsara",
        scheme="samsara",
        label="bench",
        created_at=datetime.now(UTC),
    )
    secret = new_secret("samsara")
    await PostgresEndpoints(database, seal_of(settings)).create(tenant_id, endpoint, secret=secret)
    api_key = await PostgresApiKeys(database).issue(tenant_id, label="bench")
    return Sender(tenant_id, api_key, endpoint, HookSecret(secret_id=uuid4(), text=secret))


def new_alert(number: int) -> Alert:
    """A vehicle of the fleet enters a geofence."""
    word = f"GATE-{secrets.token_hex(5).upper()}"
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    which = number % _FLEET
    vehicle = {"id": f"2814749{which:05}", "name": f"Truck {which}", "serial": f"G9{which:06}"}
    details = {"geofenceEntry": {"vehicle": vehicle, "address": {"id": word, "name": "Dock 4"}}}
    event = {
        "eventId": str(uuid4()),
        "eventTime": now,
        "eventType": "AlertIncident",
        "orgId": 20936,
        "webhookId": "1411751028848270",
        "data": {
            "configurationId": str(uuid4()),
            "happenedAtTime": now,
            "updatedAtTime": now,
            "incidentUrl": f"https://cloud.samsara.com/o/20936/fleet/workflows/incidents/{uuid4()}",
            "isResolved": False,
            "conditions": [{"triggerId": 1, "description": "Entered the yard", "details": details}],
        },
    }
    return Alert(orjson.dumps(event), word)


class Wire:
    """Kept-alive HTTP/1.1 connections to the API: a client library costs as much CPU as the server here."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, bytes]:
        """The status and the body of the answer."""
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        # The server closes what idles for 5 s.
        self._idle = [each for each in self._idle if not each[0].at_eof()]
        reader, writer = connection = self._idle.pop() if self._idle else await self._connected()
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next(
            int(line.partition(":")[2]) for line in head.splitlines() if line.startswith("content-length:")
        )
        answer = await reader.readexactly(length)
        if "connection: close" in head:
            writer.close()
        else:
            self._idle.append(connection)
        return int(head.split(" ", 2)[1]), answer

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self._host, self._port)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()


@asynccontextmanager
async def open_wire(url: str) -> AsyncGenerator[Wire, None]:
    wire = Wire(url)
    try:
        yield wire
    finally:
        wire.close()


@dataclass
class Sent:
    """What was posted: when, how long its acknowledgement took, and what it became."""

    alert: Alert
    sender: Sender
    at: float
    ack_s: float = 0.0
    status: int = 0
    event_id: UUID | None = None


async def send_at_rate(
    wire: Wire, sender: Sender, *, per_second: float, seconds: float, sent: list[Sent]
) -> None:
    """Post at fixed moments, whatever the answers: a slow answer delays no other and is counted in full."""
    begun = time.perf_counter()
    async with asyncio.TaskGroup() as posts:
        for number in range(round(per_second * seconds)):
            due = begun + number / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            posts.create_task(_send(wire, sender, number, due, sent))


async def _send(wire: Wire, sender: Sender, number: int, due: float, sent: list[Sent]) -> None:
    alert = new_alert(number)
    one = Sent(alert, sender, at=due)
    sent.append(one)
    headers = sender.signed(alert.body)
    try:
        one.status, answer = await wire.post(sender.path, alert.body, headers)
    except (ConnectionError, asyncio.IncompleteReadError):
        # Closed by the server in the moment of use: sent again, as every sender of webhooks does.
        one.status, answer = await wire.post(sender.path, alert.body, headers)
    one.ack_s = time.perf_counter() - due
    if one.status in (200, 202):
        one.event_id = UUID(orjson.loads(answer)["event_id"])
