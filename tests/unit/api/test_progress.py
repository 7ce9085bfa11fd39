"""An ingestion that is followed: each change once, a sign of life in between, and every kind of end."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import httpx
import pytest
from tests.unit.api.serving import Served, served
from tests.unit.api.test_ingestions import accepted
from tests.unit.api.world import World, problem

from apex_memory.api.progress import Streams
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import InboxEvent, Ingestion, Outcome

QUICK = Streams(look_s=0.01)


class Event(NamedTuple):
    """One block of a stream: its fields, and its comment."""

    fields: dict[str, str]
    comment: str | None

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.fields["data"])


def parsed(text: str) -> list[Event]:
    assert text.endswith("\n\n") or not text
    return [event_of(block.split("\n")) for block in text.split("\n\n")[:-1]]


def event_of(lines: list[str]) -> Event:
    pairs = [line.partition(": ") for line in lines]
    fields = {name: value for name, _, value in pairs if name}
    return Event(fields, next((value for name, _, value in pairs if not name), None))


def path(event: InboxEvent) -> str:
    return f"/v1/ingestions/{event.event_id}/events"


def running(world: World, event: InboxEvent) -> None:
    key = event.tenant_id, event.event_id
    changes = {"state": "running", "workflow_id": "ingest:1"}
    world.inbox.ingestions[key] = world.inbox.ingestions[key].model_copy(update=changes)


@asynccontextmanager
async def following(
    world: World, event: InboxEvent, *, at: Served | None = None
) -> AsyncGenerator[AsyncIterator[Event], None]:
    """The events of a stream over a real socket, as they come; at the end of the body, the client leaves."""
    async with AsyncExitStack() as stack:
        server = at or await stack.enter_async_context(served(world))
        client = httpx.AsyncClient(base_url=server.url, headers=dict(world.alice.headers))
        await stack.enter_async_context(client)
        answer = await stack.enter_async_context(client.stream("GET", path(event)))
        assert answer.status_code == 200
        yield events_of(answer)


async def events_of(answer: httpx.Response) -> AsyncGenerator[Event, None]:
    lines: list[str] = []
    async for line in answer.aiter_lines():
        if line:
            lines.append(line)
        else:
            yield event_of(lines)
            lines = []


def use(world: World, streams: Streams) -> Streams:
    world.app.state.streams = streams
    return streams


async def test_what_is_done_is_told_once_and_the_stream_ends(world: World) -> None:
    event = await accepted(world)
    await world.inbox.finish(event, outcome=Outcome.COMMITTED, seq=7)

    answer = await world.alice.get(path(event))

    [told] = parsed(answer.text)
    status = (await world.alice.get(f"/v1/ingestions/{event.event_id}")).json()
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
    assert (told.fields["event"], told.fields["id"], told.fields["retry"]) == ("done", "done", "1000")
    assert told.data == status


async def test_every_change_is_told_in_its_order_and_as_it_happens(world: World) -> None:
    use(world, QUICK)
    event = await accepted(world)

    async with following(world, event) as told:
        seen = [await anext(told)]
        running(world, event)
        seen.append(await anext(told))
        await world.inbox.finish(event, outcome=Outcome.QUARANTINED, reason="no such place")
        seen += [one async for one in told]

    assert [one.fields["id"] for one in seen] == ["received", "running", "done"]
    assert [one.data["workflow_id"] for one in seen[:2]] == [None, "ingest:1"]
    assert (seen[2].data["outcome"], seen[2].data["reason"]) == ("quarantined", "no such place")


async def test_who_comes_back_is_told_only_what_is_new(world: World) -> None:
    use(world, replace(QUICK, lifetime_s=0))
    event = await accepted(world)
    again = {"Last-Event-ID": "received"}

    nothing_new = await world.alice.get(path(event), headers=again)
    running(world, event)
    newer = await world.alice.get(path(event), headers=again)

    assert parsed(nothing_new.text) == []
    assert [one.fields["id"] for one in parsed(newer.text)] == ["running"]


async def test_who_has_seen_the_end_is_told_not_to_come_back(world: World) -> None:
    event = await accepted(world)
    await world.inbox.finish(event, outcome=Outcome.COMMITTED)

    answer = await world.alice.get(path(event), headers={"Last-Event-ID": "done"})

    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize("last", ["", "nonsense", "done", "x" * 5000])
async def test_an_id_that_we_never_gave_hides_nothing(world: World, last: str) -> None:
    use(world, replace(QUICK, lifetime_s=0))
    event = await accepted(world)

    answer = await world.alice.get(path(event), headers={"Last-Event-ID": last})

    assert [one.fields["id"] for one in parsed(answer.text)] == ["received"]


async def test_a_silent_stream_gives_signs_of_life(world: World) -> None:
    use(world, replace(QUICK, heartbeat_s=0))
    event = await accepted(world)

    async with following(world, event) as told:
        first, second, third = [await anext(told) for _ in range(3)]
        await world.inbox.finish(event)

    assert first.fields["id"] == "received"
    assert second == third == Event({}, "waiting")


async def test_a_streams_time_is_bounded(world: World) -> None:
    use(world, replace(QUICK, lifetime_s=0.05))
    event = await accepted(world)

    answer = await world.alice.get(path(event))

    assert [one.fields["id"] for one in parsed(answer.text)] == ["received"]


async def test_an_ending_process_ends_its_streams(world: World) -> None:
    use(world, QUICK)
    event = await accepted(world)

    async with following(world, event) as told:
        await anext(told)
        world.draining.begin()
        rest = [one async for one in told]

    assert rest == []


async def test_an_outage_of_the_inbox_is_waited_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    use(world, QUICK)
    event = await accepted(world)
    settled, failures = world.inbox.settled, 3

    async def unsettled(tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise StoreUnavailable("postgres", "down")
        await world.inbox.finish(event)
        return await settled(tenant_id, event_id, timeout_s=timeout_s)

    monkeypatch.setattr(world.inbox, "settled", unsettled)
    answer = await world.alice.get(path(event))

    assert [one.fields["id"] for one in parsed(answer.text)] == ["received", "done"]


async def test_a_look_that_never_comes_back_holds_up_neither_signs_of_life_nor_the_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(world, replace(QUICK, heartbeat_s=0))
    event = await accepted(world)

    async def frozen(_tenant_id: str, _event_id: UUID, *, timeout_s: float) -> Ingestion:
        del timeout_s
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(world.inbox, "settled", frozen)
    async with following(world, event) as told:
        first, second = [await anext(told) for _ in range(2)]
        world.draining.begin()
        rest = [one async for one in told]

    assert (first.fields["id"], second.comment) == ("received", "waiting")
    assert {one.comment for one in rest} <= {"waiting"}


async def test_no_other_tenants_and_no_unknown_ingestion_is_told(world: World) -> None:
    event = await accepted(world)

    problem(await world.bob.get(path(event)), 404)
    problem(await world.alice.get(f"/v1/ingestions/{uuid4()}/events"), 404)
    problem(await world.anonymous.get(path(event)), 401)


@pytest.mark.parametrize("bound", [{"most": 1}, {"most_of_a_tenant": 1}])
async def test_more_streams_than_there_are_places_for_are_refused_until_one_is_over(
    world: World, bound: dict[str, int]
) -> None:
    use(world, replace(QUICK, **bound))
    event = await accepted(world)

    async with following(world, event) as told:
        await anext(told)
        refused = await world.alice.get(path(event))
        await world.inbox.finish(event)
        assert [one.fields["id"] async for one in told] == ["done"]

    assert problem(refused, 503)
    assert refused.headers["retry-after"] == "5"
    assert (await world.alice.get(path(event))).status_code == 200


async def test_one_tenants_streams_leave_places_for_others(world: World) -> None:
    use(world, replace(QUICK, most_of_a_tenant=1))
    event = await accepted(world)
    theirs = await world.bob.post("/v1/records", json={"source": "turvo", "record": {"shipmentId": "S-1"}})
    other = world.inbox.events[UUID(theirs.json()["ingestion_id"])]
    await world.inbox.finish(other)

    async with following(world, event) as told:
        await anext(told)
        answer = await world.bob.get(path(other))
        await world.inbox.finish(event)

    assert answer.status_code == 200


async def test_a_client_that_leaves_gives_its_place_back(world: World) -> None:
    streams = use(world, replace(QUICK, most=1))
    event = await accepted(world)

    async with served(world) as server:
        async with following(world, event, at=server) as told:
            await anext(told)
            assert streams.open.total() == 1
        while streams.open.total():
            await asyncio.sleep(0.01)

    await world.inbox.finish(event)
    assert (await world.alice.get(path(event))).status_code == 200


async def test_a_refusal_before_the_stream_gives_its_place_back(world: World) -> None:
    streams = use(world, QUICK)

    await world.alice.get(f"/v1/ingestions/{uuid4()}/events")

    assert streams.open.total() == 0
