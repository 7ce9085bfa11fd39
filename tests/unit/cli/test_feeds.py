"""Feeds from a terminal: started, listed, stopped."""

import orjson
from tests.unit.cli.conftest import Apex


async def test_a_feed_is_started_listed_and_stopped(apex: Apex) -> None:
    started = await apex("feeds", "start", "samsara", "gps", "--interval", "30")
    listed = await apex("feeds", "list")
    stopped = await apex("feeds", "stop", "samsara", "gps")
    after = await apex("feeds", "list", "--json")

    assert "every 30 s" in started.stdout
    assert "samsara gps" in listed.stdout
    assert "never" in listed.stdout
    assert "stopped" in stopped.stdout
    [feed] = orjson.loads(after.stdout)["feeds"]
    assert (feed["interval_s"], feed["points"]) == (30, 0)
    assert feed["stopped_at"]


async def test_a_feed_that_no_source_has_ends_with_1(apex: Apex) -> None:
    result = await apex("feeds", "start", "turvo", "gps")

    assert result.exit_code == 1
    assert "turvo/gps" in result.stderr
