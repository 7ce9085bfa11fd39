"""Webhooks over HTTP: who may deliver, what a sender is told, and what its owner can do."""

import time
from typing import Any

import httpx
import pytest
from tests.unit.api.world import MAX_RECORD_BYTES, SHIPMENT, World, pointers, problem
from tests.unit.hooks.senders import samsara, slack

from apex_memory.domain.errors import SettingMissing
from apex_memory.domain.ledger import Outcome

ALERT = (
    b'{"eventId": "e-1", "eventTime": "2026-03-01T12:00:00Z", "eventType": "AlertIncident", "orgId": 1,'
    b' "webhookId": "1", "data": {"configurationId": "c-1", "happenedAtTime": "2026-03-01T12:00:00Z",'
    b' "updatedAtTime": "2026-03-01T12:00:00Z", "incidentUrl": "https://cloud.samsara.com/i/1",'
    b' "isResolved": false, "conditions": []}}'
)


async def made(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/endpoints", json={"source": "samsara", "label": "fleet", **changes})
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


def path(endpoint: dict[str, Any]) -> str:
    return httpx.URL(endpoint["url"]).path


async def deliver(
    world: World, endpoint: dict[str, Any], body: bytes = ALERT, *, secret: str | None = None, at: int = 0
) -> httpx.Response:
    headers = samsara(secret or endpoint["secret"], body, at or int(time.time()))
    return await world.anonymous.post(path(endpoint), content=body, headers=headers)


async def test_a_signed_delivery_is_kept_raw_for_the_endpoints_owner(world: World) -> None:
    endpoint = await made(world.alice)

    answer = await deliver(world, endpoint)

    [event] = world.inbox.events.values()
    assert (answer.status_code, answer.json()["duplicate"]) == (202, False)
    assert (event.tenant_id, event.source, event.body) == ("alice-ltd", "samsara", ALERT)
    assert event.arrival
    assert event.arrival.endpoint_id == endpoint["endpoint"]["endpoint_id"]
    assert answer.json()["event_id"] == str(event.event_id)


async def test_a_delivery_that_is_sent_again_is_200_and_the_same_event(world: World) -> None:
    endpoint = await made(world.alice)

    first, second = await deliver(world, endpoint), await deliver(world, endpoint, at=int(time.time()) - 9)

    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json() == {"event_id": first.json()["event_id"], "duplicate": True}


@pytest.mark.parametrize("headers", [{}, samsara("d3Jvbmc=", ALERT, int(time.time()))], ids=["none", "wrong"])
async def test_what_does_not_prove_itself_is_401_and_is_not_kept(
    world: World, headers: dict[str, str]
) -> None:
    endpoint = await made(world.alice)

    answer = await world.anonymous.post(path(endpoint), content=ALERT, headers=headers)

    assert "refused" in problem(answer, 401)["detail"]
    assert world.inbox.events == {}


async def test_an_api_key_does_not_replace_a_signature(world: World) -> None:
    endpoint = await made(world.alice)

    problem(await world.alice.post(path(endpoint), content=ALERT), 401)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"\xff\xfe", b'{"eventId": 7}', b"null"])
async def test_what_is_signed_and_cannot_be_read_is_kept_as_a_dead_letter(world: World, body: bytes) -> None:
    endpoint = await made(world.alice)

    answers = [await deliver(world, endpoint, body) for _ in range(2)]

    [event] = world.inbox.events.values()
    assert [answer.status_code for answer in answers] == [202, 200]
    assert event.ending
    assert event.ending.outcome is Outcome.QUARANTINED
    assert event.body == body


async def test_endpoints_that_nobody_made_or_of_another_source_are_404(world: World) -> None:
    endpoint = await made(world.alice)
    endpoint_id = endpoint["endpoint"]["endpoint_id"]

    for wrong in (f"/v1/hooks/turvo/{endpoint_id}", "/v1/hooks/samsara/nobody", "/v1/hooks/x/%00"):
        problem(await world.anonymous.post(wrong, content=ALERT), 404)


async def test_a_disabled_endpoint_is_410_until_it_is_enabled_again(world: World) -> None:
    endpoint = await made(world.alice)
    of = f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}"

    await world.alice.post(f"{of}/disable")
    problem(await deliver(world, endpoint), 410)
    await world.alice.post(f"{of}/enable")

    assert (await deliver(world, endpoint)).status_code == 202


async def test_too_large_and_of_a_kind_that_is_no_event(world: World) -> None:
    endpoint = await made(world.alice)

    problem(await deliver(world, endpoint, b"x" * (MAX_RECORD_BYTES + 1)), 413)
    form = await world.anonymous.post(path(endpoint), files={"file": b"x"})
    problem(form, 415)


async def test_a_rotated_secret_and_the_one_before_are_good_side_by_side(world: World) -> None:
    old = await made(world.alice)
    of = f"/v1/endpoints/{old['endpoint']['endpoint_id']}"

    new = (await world.alice.post(f"{of}/rotate", json={})).json()
    both = [await deliver(world, old, secret=one["secret"]) for one in (old, new)]
    await world.alice.post(f"{of}/rotate", json={"overlap_s": 0})
    after = [await deliver(world, old, secret=one["secret"]) for one in (old, new)]

    assert new["secret"] != old["secret"]
    assert [answer.status_code for answer in both] == [202, 200]
    assert [answer.status_code for answer in after] == [401, 401]


async def test_an_endpoint_whose_key_was_lost_gets_a_new_secret(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = await made(world.alice)
    of = f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}"

    async def unopened(_endpoint_id: str) -> None:
        raise SettingMissing(["APEX_SECRETS_KEY: another key"], env_file="apex.env")

    with monkeypatch.context() as lost:
        lost.setattr(world.app.state.memory.endpoints, "opened", unopened)
        problem(await deliver(world, endpoint), 503)
        rotated = await world.alice.post(f"{of}/rotate", json={"overlap_s": 0})

    assert rotated.status_code == 200
    assert (await deliver(world, endpoint, secret=rotated.json()["secret"])).status_code == 202


async def test_a_senders_own_secret_is_used(world: World) -> None:
    secret = "YXBleC10ZXN0LXNhbXNhcmEta2V5LTAxMjM0NTY3ODk="
    endpoint = await made(world.alice, secret=secret)

    assert endpoint["secret"] == secret
    assert (await deliver(world, endpoint)).status_code == 202


async def test_the_list_tells_no_secret_and_no_other_tenants_endpoints(world: World) -> None:
    ours, theirs = await made(world.alice), await made(world.bob)

    listed = await world.alice.get("/v1/endpoints")

    assert listed.json() == {"endpoints": [ours["endpoint"]]}
    assert ours["secret"] not in listed.text
    assert theirs["secret"] not in listed.text


@pytest.mark.parametrize(
    ("changes", "at_fault"),
    [
        ({"source": "No Body"}, ["/source"]),
        ({"scheme": "nothing"}, ["/scheme"]),
        ({"scheme": "hmac"}, ["/rule"]),
        ({"rule": {"header": "x-signature"}}, ["/rule"]),
        ({"scheme": "hmac", "rule": {"header": "x-signature", "template": "{timestamp}"}}, ["/rule"]),
        ({"scheme": "hmac", "rule": {"header": "x" * 65}}, ["/rule/header"]),
        ({"secret": "short"}, ["/secret"]),
        ({"label": ""}, ["/label"]),
    ],
)
async def test_an_endpoint_that_cannot_be_made_says_why(
    world: World, changes: dict[str, Any], at_fault: list[str]
) -> None:
    answer = await world.alice.post("/v1/endpoints", json={"source": "samsara", "label": "fleet", **changes})

    assert pointers(problem(answer, 422)) == at_fault


async def test_deliveries_are_told_with_what_became_of_them_and_replayed(world: World) -> None:
    endpoint = await made(world.alice)
    of = f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}"
    await deliver(world, endpoint)
    dead = (await deliver(world, endpoint, b"no JSON")).json()["event_id"]

    first = (await world.alice.get(f"{of}/deliveries", params={"limit": 1})).json()
    second = (await world.alice.get(f"{of}/deliveries", params={"after": first["next_after"]})).json()
    failed = (await world.alice.get(f"{of}/deliveries", params={"failed": True})).json()
    replay = await world.alice.post(f"{of}/replay", json={"failed": True})

    assert [one["event_id"] for one in first["deliveries"]] == [dead]
    assert len(second["deliveries"]) == 1
    assert second["next_after"] is None
    assert [one["reason"] for one in failed["deliveries"]] == ["the body is not JSON"]
    assert (replay.status_code, replay.json()["taken"]) == (202, 1)


async def test_a_replay_of_everything_must_be_meant(world: World) -> None:
    endpoint = await made(world.alice)

    answer = await world.alice.post(f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}/replay", json={})

    problem(answer, 422)


async def test_another_tenants_endpoint_can_be_neither_seen_nor_changed(world: World) -> None:
    endpoint = await made(world.alice)
    of = f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}"

    for answer in (
        await world.bob.get(f"{of}/deliveries"),
        await world.bob.post(f"{of}/rotate", json={}),
        await world.bob.post(f"{of}/disable"),
        await world.bob.post(f"{of}/replay", json={"failed": True}),
    ):
        problem(answer, 404)
    assert (await deliver(world, endpoint)).status_code == 202


async def test_a_plain_record_may_come_by_webhook_too(world: World) -> None:
    secret = "a token of the sender"
    endpoint = await made(world.alice, source="turvo", secret=secret)

    answer = await world.anonymous.post(
        path(endpoint), json=SHIPMENT, headers={"Authorization": f"Bearer {secret}"}
    )

    [event] = world.inbox.events.values()
    assert answer.status_code == 202
    assert event.ending is None


async def test_a_ping_is_told_with_its_event_and_stands_among_the_deliveries(world: World) -> None:
    endpoint = await made(world.alice)
    of = f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}"

    answer = await world.alice.post(f"{of}/ping")

    kept = answer.json()
    assert answer.status_code == 200
    assert kept["took_ms"] >= 0
    [listed] = (await world.alice.get(f"{of}/deliveries")).json()["deliveries"]
    assert (listed["event_id"], listed["outcome"]) == (kept["event_id"], "unchanged")
    ingestion = (await world.alice.get(f"/v1/ingestions/{kept['event_id']}")).json()
    assert (ingestion["state"], ingestion["reason"]) == ("done", "a test message of its sender")


async def test_who_may_not_see_an_endpoint_cannot_ping_it(world: World) -> None:
    endpoint = await made(world.alice)
    of = f"/v1/endpoints/{endpoint['endpoint']['endpoint_id']}"

    problem(await world.bob.post(f"{of}/ping"), 404)
    problem(await world.anonymous.post(f"{of}/ping"), 401)
    assert world.inbox.events == {}


async def test_an_endpoint_that_could_take_nothing_in_says_so_when_it_is_pinged(world: World) -> None:
    unfit = await made(world.alice, secret="this is not base64 at all")
    closed = await made(world.alice)
    await world.alice.post(f"/v1/endpoints/{closed['endpoint']['endpoint_id']}/disable")

    told = problem(await world.alice.post(f"/v1/endpoints/{unfit['endpoint']['endpoint_id']}/ping"), 409)

    assert "no live secret" in told["detail"]
    problem(await world.alice.post(f"/v1/endpoints/{closed['endpoint']['endpoint_id']}/ping"), 410)


async def test_slack_hears_its_word_back_if_it_signed_it(world: World) -> None:
    rule = {
        "header": "X-Slack-Signature",
        "prefix": "v0=",
        "template": "v0:{timestamp}:{body}",
        "timestamp_header": "X-Slack-Request-Timestamp",
    }
    endpoint = await made(world.alice, source="turvo", scheme="hmac", rule=rule)
    body = b'{"type": "url_verification", "token": "t", "challenge": "3eZbrw1aBm2rZgRNFdxV"}'

    proven = await world.anonymous.post(
        path(endpoint), content=body, headers=slack(endpoint["secret"], body, int(time.time()))
    )
    forged = await world.anonymous.post(
        path(endpoint), content=body, headers=slack("another secret", body, int(time.time()))
    )

    assert (proven.status_code, proven.json()) == (200, {"challenge": "3eZbrw1aBm2rZgRNFdxV"})
    assert "3eZbrw1aBm2rZgRNFdxV" not in forged.text
    problem(forged, 401)
    assert world.inbox.events == {}
