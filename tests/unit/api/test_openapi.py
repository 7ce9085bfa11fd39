"""The description of the API, as a generator of clients would read it."""

from typing import Any

import pytest
from tests.unit.api.world import World

OPERATIONS = {
    "POST /v1/records": "ingestRecord",
    "POST /v1/documents": "ingestDocument",
    "POST /v1/hooks/{source}/{endpoint_id}": "receiveDelivery",
    "POST /v1/endpoints": "createEndpoint",
    "GET /v1/endpoints": "listEndpoints",
    "POST /v1/endpoints/{endpoint_id}/rotate": "rotateSecret",
    "POST /v1/endpoints/{endpoint_id}/disable": "disableEndpoint",
    "POST /v1/endpoints/{endpoint_id}/enable": "enableEndpoint",
    "POST /v1/endpoints/{endpoint_id}/ping": "pingEndpoint",
    "GET /v1/endpoints/{endpoint_id}/deliveries": "listDeliveries",
    "POST /v1/endpoints/{endpoint_id}/replay": "replayDeliveries",
    "PUT /v1/connections/{source}": "putConnection",
    "GET /v1/connections": "listConnections",
    "DELETE /v1/connections/{source}": "removeConnection",
    "PUT /v1/feeds/{source}/{name}": "startFeed",
    "GET /v1/feeds": "listFeeds",
    "DELETE /v1/feeds/{source}/{name}": "stopFeed",
    "PUT /v1/mappings/{source}": "putMapping",
    "GET /v1/mappings": "listMappings",
    "GET /v1/mappings/{source}": "getMapping",
    "DELETE /v1/mappings/{source}": "removeMapping",
    "POST /v1/mappings/preview": "previewMapping",
    "GET /v1/ingestions/{ingestion_id}": "getIngestion",
    "GET /v1/ingestions/{ingestion_id}/events": "followIngestion",
    "POST /v1/search": "search",
    "GET /v1/entities/{entity_id}": "getEntity",
    "GET /v1/items/{item_id}": "getItem",
    "DELETE /v1/items/{item_id}": "forgetItem",
    "DELETE /v1/items": "forgetNamedItem",
    "GET /v1/forgettings/{forget_id}": "getForgetting",
    "GET /livez": "getLiveness",
    "GET /readyz": "getReadiness",
}


@pytest.fixture
def description(world: World) -> dict[str, Any]:
    return world.app.openapi()


def operations(description: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in description["paths"].items()
        for method, operation in methods.items()
    }


def test_the_names_of_operations_are_what_clients_were_generated_from(description: dict[str, Any]) -> None:
    assert {at: op["operationId"] for at, op in operations(description).items()} == OPERATIONS


def test_every_refusal_is_described_as_a_problem(description: dict[str, Any]) -> None:
    refusals = [
        (at, status, list(response["content"]))
        for at, operation in operations(description).items()
        for status, response in operation["responses"].items()
        if int(status) >= 400
    ]

    assert refusals
    assert [(at, status) for at, status, types in refusals if types != ["application/problem+json"]] == []


def test_a_key_is_asked_for_wherever_there_is_data(description: dict[str, Any]) -> None:
    guarded = {at for at, operation in operations(description).items() if operation.get("security")}

    # A delivery is proven by its signature instead.
    assert guarded == {at for at in OPERATIONS if "/v1/" in at and "/v1/hooks/" not in at}


def test_bodies_are_described_and_exemplified(description: dict[str, Any]) -> None:
    by_place = operations(description)

    for at in ("POST /v1/records", "POST /v1/search"):
        schema = by_place[at]["requestBody"]["content"]["application/json"]["schema"]
        assert schema["example"]
        assert "$ref" not in str(schema)
    form = by_place["POST /v1/documents"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert list(form["properties"]) == ["file", "source", "external_id"]


async def test_the_description_can_be_read_in_a_browser(world: World) -> None:
    page = await world.anonymous.get("/docs")

    assert page.status_code == 200
    assert "/openapi.json" in page.text
