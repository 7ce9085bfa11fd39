"""Feeds over HTTP: wished for, listed with what is in their way, stopped; each tenant's own."""

import pytest
from tests.unit.api.world import World, pointers, problem

FEED = "/v1/feeds/samsara/gps"


async def test_a_feed_is_started_changed_and_stopped(world: World) -> None:
    started = await world.alice.put(FEED, json={})
    changed = await world.alice.put(FEED, json={"interval_s": 30})
    stopped = await world.alice.delete(FEED)
    listed = await world.alice.get("/v1/feeds")

    assert [answer.status_code for answer in (started, changed, stopped, listed)] == [200] * 4
    assert (started.json()["interval_s"], changed.json()["interval_s"]) == (5, 30)
    assert started.json()["stopped_at"] is None
    assert stopped.json()["stopped_at"]
    assert listed.json() == {"feeds": [stopped.json()]}


async def test_a_feed_is_its_tenants_own(world: World) -> None:
    await world.alice.put(FEED, json={})

    assert (await world.bob.get("/v1/feeds")).json() == {"feeds": []}
    problem(await world.bob.delete(FEED), 404)


@pytest.mark.parametrize("interval_s", [0, -1, 4, 86_401, "5 s", 5.5])
async def test_an_interval_below_the_vendors_or_beyond_a_day_is_refused(
    world: World, interval_s: object
) -> None:
    refused = problem(await world.alice.put(FEED, json={"interval_s": interval_s}), 422)

    assert pointers(refused) == ["/interval_s"]
    assert (await world.alice.get("/v1/feeds")).json() == {"feeds": []}


@pytest.mark.parametrize("path", ["/v1/feeds/samsara/fuel", "/v1/feeds/turvo/gps", "/v1/feeds/samsara/%00"])
async def test_a_feed_that_no_source_has_is_not_found(world: World, path: str) -> None:
    problem(await world.alice.put(path, json={}), 404)
    problem(await world.alice.delete(path), 404)
