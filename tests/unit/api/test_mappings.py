"""Mappings through the API: declared, tried, in force at once; and records of tenants' own sources."""

from typing import Any

import httpx
import pytest
from tests.unit.api.world import SHIPMENT, World, pointers, problem

MAPPING: dict[str, Any] = {
    "id": "$.number",
    "title": "$.name",
    "entities": [{"name": "order", "type": "order", "key": "$.number", "label": "$.name"}],
    "claims": [{"subject": "order", "predicate": "has_status", "value": "$.status"}],
}
ORDER = {"number": 1042, "name": "Spring order", "status": "shipped"}


async def test_what_was_declared_can_be_read_listed_and_removed(world: World) -> None:
    put = await world.alice.put("/v1/mappings/web-shop", json=MAPPING)
    shown = await world.alice.get("/v1/mappings/web-shop")
    listed = await world.alice.get("/v1/mappings")
    removed = await world.alice.delete("/v1/mappings/web-shop")

    assert put.status_code == 200
    assert shown.json() == put.json()
    assert shown.json()["mapping"] == MAPPING
    assert [known["source"] for known in listed.json()["mappings"]] == ["web-shop"]
    assert removed.status_code == 204
    problem(await world.alice.get("/v1/mappings/web-shop"), 404)
    problem(await world.alice.delete("/v1/mappings/web-shop"), 404)


async def test_a_mapping_is_its_tenants_alone(world: World) -> None:
    await world.alice.put("/v1/mappings/web-shop", json=MAPPING)

    problem(await world.bob.get("/v1/mappings/web-shop"), 404)
    problem(await world.bob.delete("/v1/mappings/web-shop"), 404)
    assert (await world.bob.get("/v1/mappings")).json() == {"mappings": []}
    assert (await world.alice.get("/v1/mappings/web-shop")).status_code == 200


@pytest.mark.parametrize(
    "source", ["turvo", "frontapp", "local_upload", "s3", "Shop", "x", "web%20shop", "%00"]
)
async def test_names_of_ours_and_names_that_are_none_take_no_mapping(world: World, source: str) -> None:
    document = problem(await world.alice.put(f"/v1/mappings/{source}", json=MAPPING), 422)

    assert [error["parameter"] for error in document["errors"]] == ["source"]
    problem(await world.alice.get(f"/v1/mappings/{source}"), 404)
    problem(await world.alice.delete(f"/v1/mappings/{source}"), 404)


async def test_everything_that_is_wrong_with_a_mapping_is_told_at_once(world: World) -> None:
    wrong = {
        "id": "$.number",
        "entities": [{"name": "order", "type": "order", "key": "@.number"}],
        "claims": [{"subject": "oder", "predicate": "has_status"}],
    }

    response = await world.alice.put("/v1/mappings/web-shop", json=wrong)

    assert pointers(problem(response, 422)) == ["/entities/0/key", "/claims/0", "/claims/0/subject"]
    problem(await world.alice.get("/v1/mappings/web-shop"), 404)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"id": "$.lines[?match(@.a, '(a*)*b')]"}, "/id"),
        ({"text": ["$.notes", "$["]}, "/text/1"),
        ({"entities": [{"name": "o", "type": "o", "key": "$.n", "label": 7}]}, "/entities/0/label"),
        ({"clams": []}, "/clams"),
    ],
)
async def test_a_path_that_is_none_is_told_where_it_is(world: World, wrong: Any, pointer: str) -> None:
    assert pointers(problem(await world.alice.put("/v1/mappings/web-shop", json=wrong), 422)) == [pointer]


async def test_a_preview_is_what_the_mapping_makes_and_nothing_is_kept(world: World) -> None:
    response = await world.alice.post("/v1/mappings/preview", json={"mapping": MAPPING, "record": ORDER})

    made = response.json()
    assert response.status_code == 200
    assert (made["external_id"], made["title"]) == ("1042", "Spring order")
    assert [e["entity"] for e in made["entities"]] == [{"type": "order", "key": "1042"}]
    assert [c["fact"] for c in made["claims"]] == ["Spring order has status shipped"]
    assert made["text"].startswith("Spring order.")
    assert (await world.alice.get("/v1/mappings")).json() == {"mappings": []}
    assert not world.inbox.events


@pytest.mark.parametrize(
    ("trial", "pointer"),
    [
        ({"mapping": MAPPING, "record": {"name": "x"}}, "/record/number"),
        ({"mapping": MAPPING, "record": {**ORDER, "status": []}}, None),
        ({"mapping": MAPPING, "record": {**ORDER, "status": [1]}}, "/record/status"),
        ({"mapping": {"id": "number"}, "record": ORDER}, "/mapping/id"),
        ({"mapping": {**MAPPING, "entities": []}, "record": ORDER}, "/mapping/claims/0/subject"),
        ({"mapping": MAPPING, "record": [ORDER]}, "/record"),
    ],
)
async def test_a_preview_tells_what_is_wrong_with_either(
    world: World, trial: Any, pointer: str | None
) -> None:
    response = await world.alice.post("/v1/mappings/preview", json=trial)

    assert pointers(problem(response, 422)) == [pointer or "/record/status"]


async def test_a_record_is_checked_by_its_tenants_own_mapping(world: World) -> None:
    await world.alice.put("/v1/mappings/web-shop", json=MAPPING)
    body = {"source": "web-shop", "record": {"id": "A", "status": "new"}}

    refused = await world.alice.post("/v1/records", json=body)
    taken = await world.bob.post("/v1/records", json=body)

    document = problem(refused, 422)
    assert pointers(document) == ["/record/number"]
    assert document["type"] == "urn:apex-memory:problem:record-rejected"
    assert taken.status_code == 202
    [event] = world.inbox.events.values()
    assert (event.tenant_id, event.source, event.label) == ("bob-inc", "web-shop", "A")


async def test_a_change_of_the_mapping_holds_at_once(world: World) -> None:
    body = {"source": "web-shop", "record": ORDER}
    for mapping in (MAPPING, {"id": "$.name"}):
        await world.alice.put("/v1/mappings/web-shop", json=mapping)
        await world.alice.post("/v1/records", json=body)
    await world.alice.delete("/v1/mappings/web-shop")
    await world.alice.post("/v1/records", json={"source": "web-shop", "record": {**ORDER, "id": 9}})

    labels = [event.label for event in world.inbox.events.values()]
    assert labels == ["1042", "Spring order", "9"]


async def test_without_a_mapping_a_record_is_found_by_its_text(remembering: World) -> None:
    record = {"id": "T-9", "subject": "Gearbox of the red forklift", "about": "SHIP-2025-10-19-002"}
    await remembering.alice.post("/v1/records", json={"source": "turvo", "record": SHIPMENT})

    sent = await remembering.alice.post("/v1/records", json={"source": "tickets", "record": record})
    found = await remembering.alice.post(
        "/v1/search", json={"query": "forklift gearbox", "sources": ["tickets"]}
    )
    others = await remembering.bob.post("/v1/search", json={"query": "forklift gearbox"})

    assert sent.status_code == 202
    [hit] = found.json()["hits"]
    assert (hit["source"], hit["external_id"]) == ("tickets", "T-9")
    assert "SHIP-2025-10-19-002" in {entity["key"] for entity in hit["entities"]}
    assert others.json()["hits"] == []


async def test_a_webhook_of_an_own_source_is_taken_in(world: World) -> None:
    made = await world.alice.post(
        "/v1/endpoints", json={"source": "web-shop", "label": "shop", "secret": "a" * 32, "scheme": "token"}
    )
    usual = await world.alice.post("/v1/endpoints", json={"source": "web-shop", "label": "shop"})
    await world.alice.put("/v1/mappings/web-shop", json=MAPPING)
    url = httpx.URL(made.json()["url"]).path

    accepted = await world.anonymous.post(url, json=ORDER, headers={"Authorization": f"Bearer {'a' * 32}"})
    unreadable = await world.anonymous.post(url, json={}, headers={"Authorization": f"Bearer {'a' * 32}"})

    assert usual.json()["endpoint"]["scheme"] == "standard"
    assert (accepted.status_code, unreadable.status_code) == (202, 202)
    first, second = world.inbox.events.values()
    assert (first.tenant_id, first.source, first.label, first.ending) == (
        "alice-ltd",
        "web-shop",
        "1042",
        None,
    )
    # Not a dead letter: a mapping that is mended until it is processed, or before a replay, may read it.
    assert (second.label, second.ending) == ("record", None)
