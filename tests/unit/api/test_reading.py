"""Questions through the API, and what the memory answers or refuses."""

from uuid import uuid4

import pytest
from tests.unit.api.fakes import ALICE
from tests.unit.api.world import World, pointers, problem
from tests.unit.retrieval.world import saying

from apex_memory.domain import ids
from apex_memory.domain.answers import Neighbourhood, SearchAnswer
from apex_memory.domain.bundles import EntityRef

TRUCK = EntityRef(type="vehicle", key="TRUCK-6520")
DOOR = EntityRef(type="place", key="door 7")
NOTE = saying("note-1", "TRUCK-6520 waits at door 7", source="turvo", links=((TRUCK, "waits_at", DOOR),))


async def test_a_question_is_answered_with_hits_and_facts_at_one_snapshot(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    response = await world.alice.post("/v1/search", json={"query": "who waits at door 7?", "min_seq": 1})

    answer = SearchAnswer.model_validate_json(response.content)
    assert answer.seq == 1
    assert [hit.external_id for hit in answer.hits] == ["note-1"]
    assert [(f.subject.key, f.predicate) for f in answer.facts] == [("TRUCK-6520", "waits_at")]


@pytest.mark.parametrize(
    ("narrowed", "found"),
    [
        ({"sources": ["turvo"]}, 1),
        ({"sources": ["samsara"]}, 0),
        ({"kinds": ["record"]}, 1),
        ({"kinds": ["document"]}, 0),
        ({"entity": {"type": "vehicle", "key": "truck-6520"}}, 1),
        ({"entity": {"type": "vehicle", "key": "TRUCK-1"}}, 0),
    ],
)
async def test_a_filter_narrows_the_answer(world: World, narrowed: dict[str, object], found: int) -> None:
    await world.remembered.remember(ALICE, NOTE)

    response = await world.alice.post("/v1/search", json={"query": "door", **narrowed})

    assert len(response.json()["hits"]) == found


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"query": ""}, "/query"),
        ({"query": "x" * 2001}, "/query"),
        ({"query": "nul\0"}, "/query"),
        ({"query": None}, "/query"),
        ({"limit": 0}, "/limit"),
        ({"limit": 101}, "/limit"),
        ({"limit": "many"}, "/limit"),
        ({"min_seq": -1}, "/min_seq"),
        ({"min_seq": 2**63}, "/min_seq"),
        ({"min_seq": 10**30}, "/min_seq"),
        ({"kinds": ["rumour"]}, "/kinds/0"),
        ({"sources": ["ok", ""]}, "/sources/1"),
        ({"entity": {"type": "vehicle"}}, "/entity/key"),
        ({"source": "turvo"}, "/source"),
    ],
)
async def test_a_malformed_question_is_pointed_at(
    world: World, changed: dict[str, object], pointer: str
) -> None:
    response = await world.alice.post("/v1/search", json={"query": "door", **changed})

    assert pointers(problem(response, 422)) == [pointer]


async def test_a_blank_question_is_refused_by_the_memory(world: World) -> None:
    response = await world.alice.post("/v1/search", json={"query": "   "})

    assert problem(response, 422)["type"] == "urn:apex-memory:problem:query-rejected"


async def test_a_token_that_nobody_gave_out_is_a_conflict(world: World) -> None:
    response = await world.alice.post("/v1/search", json={"query": "door", "min_seq": 99})

    assert problem(response, 409)["type"] == "urn:apex-memory:problem:snapshot-behind"


async def test_an_entity_is_answered_with_the_facts_around_it(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)
    entity = ids.entity_id(ALICE, DOOR.type, DOOR.key)

    response = await world.alice.get(f"/v1/entities/{entity}", params={"min_seq": 1, "limit": 5})

    around = Neighbourhood.model_validate_json(response.content)
    assert around.entity.key == "door 7"
    assert [fact.fact for fact in around.facts] == ["TRUCK-6520 waits_at door 7"]


async def test_an_item_is_answered_as_it_is_visible(world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    response = await world.alice.get(f"/v1/items/{ids.item_id(ALICE, 'turvo', 'note-1')}")

    assert (response.json()["external_id"], response.json()["version"]) == ("note-1", 1)


@pytest.mark.parametrize("path", ["/v1/entities/{}", "/v1/items/{}"])
async def test_what_nobody_speaks_of_is_not_found(world: World, path: str) -> None:
    problem(await world.alice.get(path.format(uuid4())), 404)


@pytest.mark.parametrize("path", ["/v1/entities/{}", "/v1/items/{}", "/v1/ingestions/{}"])
async def test_an_id_that_is_none_is_refused(world: World, path: str) -> None:
    problem(await world.alice.get(path.format("1; DROP TABLE")), 422)
