"""Connections over HTTP: made, mended, listed and taken away, without a credential in any answer."""

import pytest
from structlog.testing import capture_logs
from tests.unit.api.world import World, pointers, problem

TURVO = {
    "username": "ops@acme.example",
    "password": "a password",
    "client_id": "a-client-id",
    "client_secret": "a secret",
    "api_key": "an-api-key",
}
TOKEN = {"token": "in-plain-sight"}


async def test_an_account_is_connected_at_the_usual_place(world: World) -> None:
    made = await world.alice.put("/v1/connections/samsara", json={"credentials": TOKEN})

    assert made.status_code == 200
    assert {k: v for k, v in made.json().items() if not k.endswith("_at")} == {
        "source": "samsara",
        "base_url": "https://api.samsara.com",
    }
    assert made.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("given", ["https://api.eu.samsara.com", "https://api.eu.samsara.com/"])
async def test_or_at_another_that_the_source_is_known_by(world: World, given: str) -> None:
    made = await world.alice.put("/v1/connections/samsara", json={"base_url": given, "credentials": TOKEN})

    assert made.json()["base_url"] == "https://api.eu.samsara.com"


@pytest.mark.parametrize(
    "base_url",
    [
        "http://169.254.169.254",
        "http://127.0.0.1:5432",
        "https://api.samsara.com.evil.example",
        "https://api.samsara.com@evil.example",
        "https://api.samsara.com/../x",
        "http://api.samsara.com",
        "https://publicapi.turvo.com/v1",
        "file:///etc/passwd",
    ],
)
async def test_nobody_has_us_ask_what_the_operator_did_not_list(world: World, base_url: str) -> None:
    body = {"base_url": base_url, "credentials": TOKEN}

    refused = problem(await world.alice.put("/v1/connections/samsara", json=body), 422)

    assert pointers(refused) == ["/base_url"]
    assert (await world.alice.get("/v1/connections")).json() == {"connections": []}


async def test_a_tenant_is_told_of_its_own_connections_and_of_no_credential(world: World) -> None:
    with capture_logs() as logged:
        turvo = await world.alice.put("/v1/connections/turvo", json={"credentials": TURVO})
        front = await world.alice.put("/v1/connections/frontapp", json={"credentials": TOKEN})
        listed = await world.alice.get("/v1/connections")
        theirs = await world.bob.get("/v1/connections")

    told = "".join((turvo.text, front.text, listed.text, str(logged)))
    assert [each["source"] for each in listed.json()["connections"]] == ["frontapp", "turvo"]
    assert listed.headers["cache-control"] == "no-store"
    assert theirs.json() == {"connections": []}
    assert not [secret for secret in (*TURVO.values(), *TOKEN.values()) if secret in told]


async def test_a_connection_is_taken_away_by_its_owner_alone(world: World) -> None:
    await world.alice.put("/v1/connections/samsara", json={"credentials": TOKEN})

    problem(await world.bob.delete("/v1/connections/samsara"), 404)
    removed = await world.alice.delete("/v1/connections/samsara")

    assert (removed.status_code, removed.content) == (204, b"")
    assert removed.headers["cache-control"] == "no-store"
    problem(await world.alice.delete("/v1/connections/samsara"), 404)


@pytest.mark.parametrize(
    ("source", "credentials", "wrong"),
    [
        ("samsara", TURVO, ["/credentials/api_key", "/credentials/token"]),
        ("samsara", {}, ["/credentials/token"]),
        ("samsara", {"token": ""}, ["/credentials/token"]),
        ("samsara", {"token": "in-plain-sight\r\nX-Evil: 1"}, ["/credentials/token"]),
        ("samsara", {"token": "x" * 2_049}, ["/credentials/token"]),
        ("turvo", TOKEN, ["/credentials/username", "/credentials/token"]),
        ("turvo", {**TURVO, "api_key": "in plain-sight"}, ["/credentials/api_key"]),
        ("turvo", {**TURVO, "password": 5}, ["/credentials/password"]),
    ],
    ids=["other", "none", "empty", "lines", "long", "bearer", "blank", "number"],
)
async def test_credentials_of_another_shape_are_refused_without_being_told(
    world: World, source: str, credentials: dict[str, object], wrong: list[str]
) -> None:
    answer = await world.alice.put(f"/v1/connections/{source}", json={"credentials": credentials})

    assert set(wrong) <= set(pointers(problem(answer, 422)))
    assert "plain-sight" not in answer.text


async def test_a_source_without_an_api_cannot_be_connected(world: World) -> None:
    refused = problem(await world.alice.put("/v1/connections/crm", json={"credentials": TOKEN}), 404)

    assert "frontapp, samsara, turvo" in refused["detail"]


async def test_without_a_key_nobody_connects_anything(world: World) -> None:
    problem(await world.anonymous.put("/v1/connections/samsara", json={"credentials": TOKEN}), 401)
    problem(await world.anonymous.get("/v1/connections"), 401)
    problem(await world.anonymous.delete("/v1/connections/samsara"), 401)
