"""Keys, good and bad, and what a request may say of its tenant: nothing."""

from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import httpx
import pytest
from tests.unit.api.fakes import ALICE, BOB, KEYS
from tests.unit.api.world import SHIPMENT, World, problem
from tests.unit.retrieval.world import saying

from apex_memory.domain import ids
from apex_memory.domain.bundles import EntityRef

RECORD = {"source": "turvo", "record": SHIPMENT}
GUARDED = [
    ("POST", "/v1/records"),
    ("POST", "/v1/documents"),
    ("GET", f"/v1/ingestions/{UUID(int=1)}"),
    ("POST", "/v1/search"),
    ("GET", f"/v1/entities/{UUID(int=1)}"),
    ("GET", f"/v1/items/{UUID(int=1)}"),
    ("DELETE", f"/v1/items/{UUID(int=1)}"),
    ("DELETE", "/v1/items?source=turvo&external_id=SHIP-1"),
    ("GET", f"/v1/forgettings/{UUID(int=1)}"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {KEYS[ALICE]}"},
        {"Authorization": "Bearer nobody's"},
        {"Authorization": "Bearer " + "x" * 10_000},
        {"X-Api-Key": "nobody's"},
        {"X-Api-Key": ""},
        {"Authorization": "Bearer nobody's", "X-Api-Key": KEYS[ALICE]},
    ],
)
async def test_nothing_is_served_without_a_known_key(
    world: World, method: str, path: str, headers: dict[str, str]
) -> None:
    response = await world.anonymous.request(method, path, headers=headers)

    problem(response, 401)
    assert response.headers["www-authenticate"].startswith("Bearer ")


async def test_a_key_that_is_no_ascii_is_refused(world: World) -> None:
    response = await world.anonymous.get("/v1/items/x", headers=[(b"x-api-key", b"k\xe9y")])

    problem(response, 401)


async def test_a_body_is_not_read_before_its_key(world: World) -> None:
    read: list[bytes] = []

    async def body() -> AsyncGenerator[bytes, None]:
        read.append(b"{}")
        yield b"{}"

    response = await world.anonymous.post(
        "/v1/records", content=body(), headers={"content-type": "application/json"}
    )

    problem(response, 401)
    assert not read


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEYS[ALICE]}"},
        {"authorization": f"bearer {KEYS[ALICE]}"},
        {"X-Api-Key": KEYS[ALICE]},
    ],
)
async def test_a_key_may_come_in_either_header(world: World, headers: dict[str, str]) -> None:
    response = await world.anonymous.post("/v1/records", json=RECORD, headers=headers)

    assert response.status_code == 202
    assert [event.tenant_id for event in world.inbox.events.values()] == [ALICE]


async def test_a_tenant_named_anywhere_in_a_request_changes_nothing(world: World) -> None:
    await world.alice.post(
        "/v1/records",
        json={"source": "turvo", "record": {**SHIPMENT, "tenant_id": BOB, "tenant": BOB}},
        params={"tenant": BOB, "tenant_id": BOB},
        headers={"X-Tenant": BOB, "X-Tenant-Id": BOB, "Tenant": BOB, "X-Forwarded-User": BOB},
    )

    assert [event.tenant_id for event in world.inbox.events.values()] == [ALICE]


async def test_a_tenant_beside_the_record_is_refused(world: World) -> None:
    response = await world.alice.post("/v1/records", json={**RECORD, "tenant_id": BOB})

    problem(response, 422)
    assert not world.inbox.events


async def test_one_tenants_ids_do_not_exist_for_another(world: World) -> None:
    truck = EntityRef(type="vehicle", key="TRUCK-6520")
    await world.remembered.remember(ALICE, saying("note-1", "TRUCK-6520 waits", mentions=[truck]))
    accepted = await world.alice.post("/v1/records", json=RECORD)
    paths = [
        accepted.json()["status_url"],
        accepted.json()["status_url"] + "?wait_s=0.01",
        f"/v1/entities/{ids.entity_id(ALICE, truck.type, truck.key)}",
        f"/v1/items/{ids.item_id(ALICE, 'api', 'note-1')}",
    ]

    for path in paths:
        of_alice, of_bob = await world.alice.get(path), await world.bob.get(path)

        assert of_alice.status_code == 200
        problem(of_bob, 404)


async def test_one_tenants_items_are_not_found_by_another(world: World) -> None:
    await world.remembered.remember(ALICE, saying("note-1", "TRUCK-6520 waits"))

    response = await world.bob.post("/v1/search", json={"query": "TRUCK-6520 waits"})

    assert (response.json()["seq"], response.json()["hits"]) == (0, [])


async def test_a_foreign_id_reads_like_one_that_never_was(world: World) -> None:
    accepted = await world.alice.post("/v1/records", json=RECORD)
    foreign = accepted.json()["ingestion_id"]

    answers = [await world.bob.get(f"/v1/ingestions/{id_}") for id_ in (foreign, UUID(int=1))]

    assert _without_ids(answers[0], foreign) == _without_ids(answers[1], str(UUID(int=1)))


def _without_ids(response: httpx.Response, id_: str) -> dict[str, Any]:
    document = problem(response, 404)
    del document["request_id"]
    return {key: str(value).replace(id_, "…") for key, value in document.items()}
