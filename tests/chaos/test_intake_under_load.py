"""Webhook deliveries a few times a second while processes are killed: what was acknowledged ends, once."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import chain, repeat
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

import httpx
import pytest
from tests.chaos.campaign.audit import rest
from tests.unit.hooks.senders import github

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import open_memory
from apex_memory.database import Database, open_database
from apex_memory.devstack.processes import ended, signal_process
from apex_memory.devstack.services.product import worker_name
from apex_memory.devstack.stack import Stack
from apex_memory.devstack.state import UP
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.queues import Queue
from apex_memory.pipeline.intake.verification.hmac import GITHUB
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Store
from apex_memory.settings import Settings

# Without the time that the whole stack takes to start.
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240, func_only=True)]

VICTIMS: Final = ("api", "relay", worker_name(Queue.WORKFLOWS), worker_name(Queue.WRITE), "temporal")
EVERY_S: Final = 0.25
BETWEEN_KILLS_S: Final = 10.0
#: Stands for an hour: no one's patience in the product is shorter than this and longer than that.
DOWN_S: Final = 20.0
REST_S: Final = 100.0
#: Of each eight deliveries, one cannot be read, one updates a shipment, and one tells of its past.
ROUND: Final = 8
START: Final = datetime(2026, 11, 18, tzinfo=UTC)

_EVENTS: Final = """
SELECT event_id, outcome, item_id, version, batch_id FROM inbox_event WHERE tenant_id = %s
"""
_VERSIONS: Final = """
SELECT event_id, item_id, version, state, manifests, collected_at, cleanup_pending FROM item_version
WHERE tenant_id = %s
"""


@dataclass(frozen=True)
class Hook:
    """Where one sender posts, and what it signs with."""

    tenant_id: str
    path: str
    secret: str


@dataclass(frozen=True)
class Delivery:
    body: bytes
    readable: bool


@dataclass(frozen=True)
class Acknowledged:
    """status: of the answer that the sender got in the end. tries: how often it had to ask for it."""

    delivery: Delivery
    event_id: UUID
    status: int
    tries: int


def deliveries(name: str) -> Iterator[Delivery]:
    """No two are the same event; of a shipment, some are newer and some older than what was sent before."""
    for n in range(1_000_000):
        number, place = divmod(n, ROUND)
        minutes = {ROUND - 2: 60, ROUND - 1: -60}.get(place, 0)
        which = 0 if minutes else place
        record: dict[str, object] = {
            "shipmentId": f"SHIP-{name}-{number}-{which}",
            "status": "in_transit",
            "updatedAt": (START + timedelta(minutes=minutes)).isoformat(),
        }
        readable = place != 1
        if not readable:
            record["status"] = {"no": "status"}
        yield Delivery(body=json.dumps(record).encode(), readable=readable)


@asynccontextmanager
async def sending(settings: Settings) -> AsyncGenerator[tuple[httpx.AsyncClient, Hook], None]:
    """A tenant of its own with one endpoint, made over the API."""
    tenant_id = f"t-{uuid4().hex[:12]}"
    async with open_memory(settings) as memory:
        key = await memory.keys.issue(tenant_id, label="load")
    async with httpx.AsyncClient(base_url=settings.api_url, timeout=20.0) as http:
        wanted = {"source": "turvo", "scheme": "hmac", "rule": GITHUB.model_dump(), "label": "load"}
        headers = {"Authorization": f"Bearer {key}"}
        made = (await http.post("/v1/endpoints", json=wanted, headers=headers)).raise_for_status().json()
        path = f"/v1/hooks/turvo/{made['endpoint']['endpoint_id']}"
        yield http, Hook(tenant_id=tenant_id, path=path, secret=made["secret"])


async def delivered(http: httpx.AsyncClient, hook: Hook, delivery: Delivery) -> Acknowledged:
    """As webhook senders do it: again and again, until somebody says that it is kept."""
    headers = github(hook.secret, delivery.body, 0)
    for tries, pause in enumerate(chain((0.2, 0.5, 1.0), repeat(2.0)), start=1):
        try:
            answer = await http.post(hook.path, content=delivery.body, headers=headers)
        except httpx.TransportError:
            await asyncio.sleep(pause)
            continue
        if answer.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            event_id = UUID(answer.json()["event_id"])
            return Acknowledged(delivery, event_id, status=answer.status_code, tries=tries)
        assert answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR, answer.text
        await asyncio.sleep(pause)
    raise AssertionError


async def sent(http: httpx.AsyncClient, hook: Hook, *, during_s: float) -> Sequence[Acknowledged]:
    """One delivery every `EVERY_S`, whether those before it were answered or not."""
    source = deliveries(uuid4().hex[:6])
    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[Acknowledged]] = []
        for _ in range(round(during_s / EVERY_S)):
            tasks.append(group.create_task(delivered(http, hook, next(source))))
            await asyncio.sleep(EVERY_S)
    return [task.result() for task in tasks]


async def steady(stack: Stack) -> None:
    """Until the supervisor has started again whatever had died."""
    while any(service.phase not in UP for service in stack.state().services.values()):
        await asyncio.sleep(0.1)


def restarts(stack: Stack) -> dict[str, int]:
    return {name: service.restarts for name, service in stack.state().services.items()}


async def killed(stack: Stack, name: str) -> None:
    while (process := stack.state().services[name].process) is None:
        await asyncio.sleep(0.1)
    signal_process(process, signal.SIGKILL)


@asynccontextmanager
async def temporal_down(stack: Stack) -> AsyncGenerator[None, None]:
    """Killed, and not started again: who would do that stands still meanwhile."""
    state = stack.state()
    server = state.services["temporal"].process
    assert state.supervisor
    assert server
    signal_process(state.supervisor, signal.SIGSTOP)
    try:
        signal_process(server, signal.SIGKILL)
        assert await ended(server, within_s=10)
        yield
    finally:
        signal_process(state.supervisor, signal.SIGCONT)


async def rows(database: Database, query: LiteralString, *parameters: object) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        return await (await connection.execute(query, parameters)).fetchall()


async def outcomes(settings: Settings, hook: Hook) -> set[str | None]:
    async with open_database(settings.postgres_url, max_size=1) as database:
        return {row["outcome"] for row in await rows(database, _EVENTS, hook.tenant_id)}


async def assert_each_ended_once(
    settings: Settings, hook: Hook, acknowledged: Sequence[Acknowledged]
) -> list[dict[str, Any]]:
    """Accepted is committed and quarantined; the stores hold what was committed, and nothing else.

    Returns the inbox's rows.
    """
    _, under_way = await rest(settings, [hook.tenant_id], patience_s=REST_S)
    assert not any(under_way.values()), under_way
    async with open_database(settings.postgres_url, max_size=2) as database:
        events = await rows(database, _EVENTS, hook.tenant_id)
        versions = await rows(database, _VERSIONS, hook.tenant_id)
        _assert_outcomes(events, acknowledged)
        _assert_versions(events, versions)
        async with (
            open_embedder(settings, database) as embedder,
            open_stores(settings, database, embedder) as stores,
        ):
            expected = {
                VersionRef(item_id=row["item_id"], version=row["version"]): row["manifests"]
                for row in versions
                if row["state"] == "committed" and row["collected_at"] is None
            }
            for store in stores.participants():
                held = await _held(store, hook.tenant_id)
                manifests = {
                    ref: Manifest.model_validate(parts[store.name]) for ref, parts in expected.items()
                }
                assert held == manifests, store.name
    return events


def _assert_outcomes(events: Sequence[dict[str, Any]], acknowledged: Sequence[Acknowledged]) -> None:
    outcomes = {row["event_id"]: row["outcome"] for row in events}
    assert outcomes == {
        each.event_id: "committed" if each.delivery.readable else "quarantined" for each in acknowledged
    }
    counted = Counter(outcomes.values())
    assert len(acknowledged) == counted["committed"] + counted["quarantined"]


def _assert_versions(events: Sequence[dict[str, Any]], versions: Sequence[dict[str, Any]]) -> None:
    """Each committed event has one committed version, and no version is anybody else's."""
    of_events = [
        (row["event_id"], row["item_id"], row["version"]) for row in events if row["outcome"] == "committed"
    ]
    committed = [
        (row["event_id"], row["item_id"], row["version"]) for row in versions if row["state"] == "committed"
    ]
    assert sorted(committed) == sorted(of_events)
    assert {row["state"] for row in versions} <= {"committed", "aborted"}


async def _held(store: Store, tenant_id: str) -> dict[VersionRef, Manifest]:
    """Every version of which the store holds anything, and what it is."""
    found: set[VersionRef] = set()
    after: str | None = None
    while True:
        page = await store.versions(tenant_id, after=after, limit=1_000)
        found.update(page.refs)
        if (after := page.after) is None:
            return dict(await store.read_back(tenant_id, list(found)))


async def test_every_delivery_ends_once_though_each_process_is_killed_in_turn(
    whole_stack: Stack, whole_settings: Settings
) -> None:
    """No kill -9 of API, relay, a worker or Temporal loses, doubles or tears an acknowledged delivery."""
    await steady(whole_stack)
    before = restarts(whole_stack)
    during_s = BETWEEN_KILLS_S * (len(VICTIMS) + 1)

    async with sending(whole_settings) as (http, hook):
        load = asyncio.create_task(sent(http, hook, during_s=during_s))
        for victim in VICTIMS:
            await asyncio.sleep(BETWEEN_KILLS_S)
            await killed(whole_stack, victim)
        acknowledged = await load

    assert len(acknowledged) == round(during_s / EVERY_S)
    assert max(each.tries for each in acknowledged) > 1, "the API was not away while it was sent to"
    await steady(whole_stack)
    after = restarts(whole_stack)
    assert {name: after[name] - before[name] for name in VICTIMS} == dict.fromkeys(VICTIMS, 1)
    await assert_each_ended_once(whole_settings, hook, acknowledged)


async def test_what_is_accepted_while_temporal_is_down_waits_and_is_taken_in_by_batches(
    whole_stack: Stack, whole_settings: Settings
) -> None:
    """Senders never wait for Temporal; what piled up meanwhile is drained many events at a time."""
    await steady(whole_stack)

    async with sending(whole_settings) as (http, hook):
        async with temporal_down(whole_stack):
            acknowledged = await sent(http, hook, during_s=DOWN_S)
            assert await outcomes(whole_settings, hook) == {None}
        assert {(each.status, each.tries) for each in acknowledged} == {(HTTPStatus.ACCEPTED, 1)}
        events = await assert_each_ended_once(whole_settings, hook, acknowledged)

    sizes = Counter(row["batch_id"] for row in events)
    assert sum(sizes.values()) / len(sizes) > 1
