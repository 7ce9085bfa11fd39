"""Webhook endpoints from a terminal: made, listed, rotated, closed; what came, and taking it in again."""

import time
from typing import Any

import httpx
import orjson
from tests.unit.api.world import World
from tests.unit.cli.conftest import Apex
from tests.unit.hooks.senders import samsara


async def made(apex: Apex) -> dict[str, Any]:
    result = await apex("hooks", "create", "samsara", "--label", "fleet", "--json")
    assert result.exit_code == 0, result.stderr
    return orjson.loads(result.stdout)


async def deliver(world: World, endpoint: dict[str, Any], body: bytes) -> int:
    headers = samsara(endpoint["secret"], body, int(time.time()))
    answer = await world.anonymous.post(httpx.URL(endpoint["url"]).path, content=body, headers=headers)
    return answer.status_code


async def test_an_endpoint_that_is_made_takes_deliveries(apex: Apex, world: World) -> None:
    endpoint = await made(apex)

    assert await deliver(world, endpoint, b"no JSON") == 202


async def test_url_and_secret_are_told_to_people_too_and_only_once(apex: Apex) -> None:
    secret = "YXBleC10ZXN0LXNhbXNhcmEta2V5"
    created = await apex("hooks", "create", "samsara", "--secret-stdin", given=f"{secret}\n")
    listed = await apex("hooks", "list")

    assert created.exit_code == 0
    assert "/v1/hooks/samsara/" in created.stdout
    assert secret in created.stdout
    assert "never again" in created.stderr
    assert "samsara" in listed.stdout
    assert secret not in listed.stdout


async def test_a_rotation_tells_another_secret(apex: Apex) -> None:
    endpoint = await made(apex)

    result = await apex("hooks", "rotate", endpoint["endpoint"]["endpoint_id"], "--json")

    assert result.exit_code == 0
    assert orjson.loads(result.stdout)["secret"] != endpoint["secret"]


async def test_disabled_and_enabled_again(apex: Apex, world: World) -> None:
    endpoint = await made(apex)
    endpoint_id = endpoint["endpoint"]["endpoint_id"]

    await apex("hooks", "disable", endpoint_id)
    refused, listed = await deliver(world, endpoint, b"1"), await apex("hooks", "list")
    await apex("hooks", "enable", endpoint_id)

    assert refused == 410
    assert "disabled" in listed.stdout
    assert await deliver(world, endpoint, b"1") == 202


async def test_what_was_given_up_is_told_and_taken_in_again(apex: Apex, world: World) -> None:
    endpoint = await made(apex)
    endpoint_id = endpoint["endpoint"]["endpoint_id"]
    await deliver(world, endpoint, b"no JSON")

    told = await apex("hooks", "deliveries", endpoint_id, "--failed")
    counted = await apex("hooks", "replay", endpoint_id, "--failed", "--dry-run")
    taken = await apex("hooks", "replay", endpoint_id, "--failed", "--json")

    assert "the body is not JSON" in told.stdout
    assert counted.stdout.strip() == "1 would be taken in again"
    assert orjson.loads(taken.stdout)["taken"] == 1


async def test_a_ping_is_told_with_its_event(apex: Apex, world: World) -> None:
    endpoint = await made(apex)
    endpoint_id = endpoint["endpoint"]["endpoint_id"]

    told = await apex("hooks", "ping", endpoint_id)
    again = await apex("hooks", "ping", endpoint_id, "--json")

    first, second = world.inbox.events
    assert told.stdout.startswith("proven and kept after ")
    assert told.stdout.strip().endswith(str(first))
    assert orjson.loads(again.stdout)["event_id"] == str(second)


async def test_a_replay_must_say_of_what(apex: Apex) -> None:
    result = await apex("hooks", "replay", "some-endpoint")

    assert result.exit_code == 2
    assert "say which" in result.stderr


async def test_an_endpoint_that_is_not_there_ends_with_1(apex: Apex) -> None:
    result = await apex("hooks", "disable", "some-endpoint")

    assert result.exit_code == 1
    assert "some-endpoint" in result.stderr
