"""A process that lives, is ready, is missing something, or is ending, as its supervisor sees it."""

import asyncio

import pytest
from structlog.testing import capture_logs
from tests.unit.api.world import World, problem

from apex_memory.api import health
from apex_memory.domain.errors import StoreUnavailable


async def refusing() -> None:
    raise StoreUnavailable("a store", "password=hunter2")


async def silent() -> None:
    await asyncio.Event().wait()


async def test_a_process_lives_whatever_is_down(world: World) -> None:
    world.probes.update(dict.fromkeys(world.probes, refusing))

    response = await world.anonymous.get("/livez")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_it_is_ready_when_everything_answers(world: World) -> None:
    response = await world.anonymous.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready", "degraded": []})


async def test_what_is_down_is_named_and_nothing_else_is_told(world: World) -> None:
    world.probes.update(postgres=refusing, neo4j=refusing)

    with capture_logs():
        response = await world.anonymous.get("/readyz")

    document = problem(response, 503)
    assert document["detail"] == "Not answering: neo4j, postgres."
    assert [error["parameter"] for error in document["errors"]] == ["neo4j", "postgres"]
    assert response.headers["retry-after"] == "1"
    assert "hunter2" not in response.text


async def test_who_does_not_answer_in_time_is_down(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_DEADLINE_S", 0.01)
    world.probes.update(qdrant=silent, temporal=silent)

    with capture_logs():
        response = await world.anonymous.get("/readyz")

    assert problem(response, 503)["detail"] == "Not answering: qdrant, temporal."


async def test_a_missing_cache_leaves_it_ready(world: World) -> None:
    world.probes.update(redis=refusing)

    with capture_logs():
        response = await world.anonymous.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ready", "degraded": ["redis"]})


async def test_an_ending_process_is_alive_and_not_ready(world: World) -> None:
    world.draining.begin()

    assert (await world.anonymous.get("/livez")).status_code == 200
    problem(await world.anonymous.get("/readyz"), 503)
