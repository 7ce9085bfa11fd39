"""What became of an accepted event, asked for at once or waited for."""

import asyncio
from uuid import UUID, uuid4

import pytest
from tests.unit.api.world import SHIPMENT, World, problem

from apex_memory.domain.ledger import InboxEvent, Outcome


async def accepted(world: World) -> InboxEvent:
    answer = await world.alice.post("/v1/records", json={"source": "turvo", "record": SHIPMENT})
    return world.inbox.events[UUID(answer.json()["ingestion_id"])]


async def test_a_finished_ingestion_tells_its_outcome_token_and_workflow(world: World) -> None:
    event = await accepted(world)
    await world.inbox.finish(event, outcome=Outcome.COMMITTED, seq=7, workflow_id="ingest:a b/c:1")

    status = (await world.alice.get(f"/v1/ingestions/{event.event_id}")).json()

    assert (status["state"], status["outcome"], status["seq"]) == ("done", "committed", 7)
    assert status["temporal_url"] == (
        "http://127.0.0.1:8233/namespaces/default/workflows/ingest%3Aa%20b%2Fc%3A1"
    )


async def test_an_ingestion_without_workflow_has_no_link(world: World) -> None:
    event = await accepted(world)

    status = (await world.alice.get(f"/v1/ingestions/{event.event_id}")).json()

    assert (status["state"], status["temporal_url"]) == ("received", None)


async def test_who_waits_is_answered_as_soon_as_it_is_done(world: World) -> None:
    event = await accepted(world)

    waiting = asyncio.create_task(world.alice.get(f"/v1/ingestions/{event.event_id}", params={"wait_s": 30}))
    await world.inbox.finish(event, outcome=Outcome.QUARANTINED, reason="no such place")

    status = (await waiting).json()
    assert (status["outcome"], status["reason"]) == ("quarantined", "no such place")


async def test_who_has_waited_long_enough_gets_it_as_it_is(world: World) -> None:
    event = await accepted(world)

    response = await world.alice.get(f"/v1/ingestions/{event.event_id}", params={"wait_s": 0.01})

    assert response.json()["state"] == "received"


async def test_an_ending_process_lets_nobody_wait(world: World) -> None:
    event = await accepted(world)
    world.draining.begin()

    response = await world.alice.get(f"/v1/ingestions/{event.event_id}", params={"wait_s": 30})

    assert response.json()["state"] == "received"


@pytest.mark.parametrize("wait_s", ["-1", "31", "nan", "inf", "soon", ""])
async def test_a_wait_beyond_the_limits_is_refused(world: World, wait_s: str) -> None:
    response = await world.alice.get(f"/v1/ingestions/{uuid4()}", params={"wait_s": wait_s})

    assert [e["parameter"] for e in problem(response, 422)["errors"]] == ["wait_s"]


async def test_an_unknown_ingestion_is_not_found(world: World) -> None:
    for params in ({}, {"wait_s": 1}):
        response = await world.alice.get(f"/v1/ingestions/{uuid4()}", params=params)

        assert problem(response, 404)["type"] == "urn:apex-memory:problem:item-not-found"
