"""Records through the API: what is kept of them, and what is refused."""

import orjson
import pytest
from tests.unit.api.world import SHIPMENT, World, pointers, problem

POSITION = {
    "vehicle_id": "TRUCK-6520",
    "latitude": 41.8781,
    "longitude": -87.6298,
    "timestamp": "2025-10-19T14:23:00Z",
}


async def test_a_record_is_kept_before_the_answer_and_can_be_asked_about(world: World) -> None:
    response = await world.alice.post("/v1/records", json={"source": "turvo", "record": SHIPMENT})

    answer = response.json()
    (event,) = world.inbox.events.values()
    assert response.status_code == 202
    assert answer["ingestion_id"] == str(event.event_id)
    assert answer["status_url"] == response.headers["location"] == f"/v1/ingestions/{event.event_id}"
    assert answer["duplicate"] is False
    assert (event.source, event.kind, event.label) == ("turvo", "record", "SHIP-2025-10-19-002")
    assert (await world.alice.get(answer["status_url"])).json()["state"] == "received"


async def test_the_bytes_that_are_kept_are_the_senders_own(world: World) -> None:
    record = b'{ "shipmentId":"SHIP-1", "weight": 123456789012345678901234567890, "a":1.10, "a": "\\u00e9" }'

    await world.alice.post(
        "/v1/records",
        content=b'{"record": ' + record + b' ,\n"source":"turvo"}',
        headers={"content-type": "application/json; charset=utf-8"},
    )

    (event,) = world.inbox.events.values()
    assert event.body == record


async def test_two_posts_without_a_key_are_two_events(world: World) -> None:
    for _ in range(2):
        await world.alice.post("/v1/records", json={"source": "turvo", "record": SHIPMENT})

    assert len(world.inbox.events) == 2


@pytest.mark.parametrize("again", ["order-77", '"order-77"'])
async def test_a_repeated_post_under_the_same_key_adds_nothing(world: World, again: str) -> None:
    body = {"source": "turvo", "record": SHIPMENT}
    first = await world.alice.post("/v1/records", json=body, headers={"Idempotency-Key": "order-77"})
    second = await world.alice.post("/v1/records", json=body, headers={"Idempotency-Key": again})

    assert (first.status_code, second.status_code) == (202, 200)
    assert second.json() == {**first.json(), "duplicate": True}
    assert len(world.inbox.events) == 1


async def test_the_same_key_of_another_tenant_is_another_event(world: World) -> None:
    for client in (world.alice, world.bob):
        response = await client.post(
            "/v1/records",
            json={"source": "turvo", "record": SHIPMENT},
            headers={"Idempotency-Key": "order-77"},
        )
        assert response.status_code == 202

    assert len(world.inbox.events) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", '""', "tab\there"])
async def test_a_malformed_key_is_refused(world: World, key: str) -> None:
    response = await world.alice.post(
        "/v1/records",
        json={"source": "turvo", "record": SHIPMENT},
        headers={"Idempotency-Key": key},
    )

    document = problem(response, 422)
    assert [error["parameter"] for error in document["errors"]] == ["Idempotency-Key"]
    assert not world.inbox.events


async def test_a_bad_field_is_pointed_at_and_nothing_is_kept(world: World) -> None:
    record = {**POSITION, "latitude": 91}

    response = await world.alice.post("/v1/records", json={"source": "samsara", "record": record})

    document = problem(response, 422)
    assert document["type"] == "urn:apex-memory:problem:record-rejected"
    assert pointers(document) == ["/record/latitude"]
    assert not world.inbox.events


async def test_an_unknown_source_is_told_which_there_are(world: World) -> None:
    response = await world.alice.post("/v1/records", json={"source": "Fax Machine", "record": SHIPMENT})

    document = problem(response, 422)
    assert pointers(document) == ["/source"]
    assert "frontapp, samsara, turvo" in document["errors"][0]["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"record": SHIPMENT}, "/source"),
        ({"source": "turvo"}, "/record"),
        ({"source": "turvo", "record": [SHIPMENT]}, "/record"),
        ({"source": 7, "record": SHIPMENT}, "/source"),
        ({"source": "turvo", "record": SHIPMENT, "recrod": 1}, "/recrod"),
        ([], ""),
        (None, ""),
    ],
)
async def test_a_body_of_another_shape_is_pointed_at(world: World, body: object, pointer: str) -> None:
    response = await world.alice.post(
        "/v1/records", content=orjson.dumps(body), headers={"content-type": "application/json"}
    )

    assert pointers(problem(response, 422)) == [pointer]
    assert not world.inbox.events
