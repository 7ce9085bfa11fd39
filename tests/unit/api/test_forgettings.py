"""An item forgotten through the API: gone at once, with a receipt to ask for, and nobody else's."""

from uuid import UUID, uuid4

import pytest
from tests.unit.api.fakes import ALICE, BOB
from tests.unit.api.world import World, problem
from tests.unit.retrieval.world import saying

from apex_memory.domain import ids

NOTE = saying("note-1", "TRUCK-6520 waits at door 7")
ITEM = ids.item_id(ALICE, "api", "note-1")


async def test_a_forgotten_item_is_gone_when_the_request_is_answered(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    answer = await world.alice.delete(f"/v1/items/{ITEM}")

    body = answer.json()
    assert answer.status_code == 202
    assert (body["item_id"], body["seq"]) == (str(ITEM), 2)
    assert answer.headers["location"] == body["status_url"] == f"/v1/forgettings/{body['forget_id']}"
    problem(await world.alice.get(f"/v1/items/{ITEM}"), 404)
    found = await world.alice.post("/v1/search", json={"query": "TRUCK-6520 waits"})
    assert found.json()["hits"] == []


async def test_the_receipt_is_told_where_the_request_said(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)
    url = (await world.alice.delete(f"/v1/items/{ITEM}")).json()["status_url"]

    states = [(await world.alice.get(url)).json() for _ in range(3)]

    assert [s["state"] for s in states] == ["erasing", "waiting", "done"]
    assert states[0]["first_count"] is None
    assert states[0]["temporal_url"].startswith("http://127.0.0.1:8233/namespaces/default/workflows/forget")
    assert states[2]["second_count"]["held"] == {"postgres": 0, "redis": 0}
    assert states[2]["completed_at"]


async def test_an_item_may_be_named_as_its_source_names_it(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    answer = await world.alice.delete("/v1/items", params={"source": "api", "external_id": "note-1"})

    assert answer.status_code == 202
    assert answer.json()["item_id"] == str(ITEM)


async def test_the_same_key_is_the_same_request_and_another_items_is_not(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)
    await world.remembered.remember(ALICE, saying("note-2", "TRUCK-1 is gone"))
    other = ids.item_id(ALICE, "api", "note-2")
    key = {"Idempotency-Key": "once"}

    first, again = [(await world.alice.delete(f"/v1/items/{ITEM}", headers=key)).json() for _ in range(2)]
    beside = (await world.alice.delete(f"/v1/items/{other}", headers=key)).json()
    without = (await world.alice.delete(f"/v1/items/{ITEM}")).json()

    assert first == again
    assert len({first["forget_id"], beside["forget_id"], without["forget_id"]}) == 3


async def test_another_tenants_item_and_receipt_do_not_exist(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)
    await world.remembered.remember(BOB, NOTE)
    url = (await world.alice.delete(f"/v1/items/{ITEM}")).json()["status_url"]

    problem(await world.bob.delete(f"/v1/items/{ITEM}"), 404)
    problem(await world.bob.get(url), 404)

    assert (await world.bob.get(f"/v1/items/{ids.item_id(BOB, 'api', 'note-1')}")).status_code == 200


async def test_what_never_was_cannot_be_forgotten(world: World) -> None:
    problem(await world.alice.delete(f"/v1/items/{uuid4()}"), 404)
    problem(await world.alice.delete("/v1/items", params={"source": "api", "external_id": "none"}), 404)
    problem(await world.alice.get(f"/v1/forgettings/{UUID(int=1)}"), 404)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/v1/items/no-uuid", {}),
        ("/v1/items", {}),
        ("/v1/items", {"source": "api"}),
        ("/v1/items", {"source": "", "external_id": "note-1"}),
        ("/v1/items", {"source": "api", "external_id": ""}),
        ("/v1/items", {"source": "api", "external_id": "nul\0"}),
        ("/v1/items", {"source": "api", "external_id": "x" * 4097}),
    ],
)
async def test_a_malformed_name_is_refused(world: World, path: str, parameters: dict[str, str]) -> None:
    problem(await world.alice.delete(path, params=parameters), 422)


async def test_a_malformed_key_is_refused_before_anything_is_forgotten(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    problem(await world.alice.delete(f"/v1/items/{ITEM}", headers={"Idempotency-Key": "two words"}), 422)

    assert (await world.alice.get(f"/v1/items/{ITEM}")).status_code == 200
