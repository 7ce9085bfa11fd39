"""Searches and states on a terminal and as JSON."""

from pathlib import Path
from uuid import uuid4

import orjson
from tests.unit.api.world import World
from tests.unit.cli.conftest import Apex

from apex_memory.domain.answers import SearchAnswer
from apex_memory.domain.errors import StoreUnavailable


async def test_a_search_shows_passages_and_the_facts_that_join_them(apex: Apex, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Night shift\n\nTRUCK-6520 waits at [door] 7.\n")
    await apex("ingest", str(tmp_path))

    result = await apex("search", "TRUCK-6520 waits")

    assert result.exit_code == 0
    assert "TRUCK-6520 waits at [door] 7." in result.stdout
    assert "Night shift" in result.stdout
    assert "mentions" in result.stdout


async def test_a_search_as_json_is_the_apis_answer(apex: Apex) -> None:
    result = await apex("search", "nothing", "--json", "--source", "turvo", "--limit", "3")

    assert SearchAnswer.model_validate_json(result.stdout).hits == ()


async def test_a_search_without_hits_says_so(apex: Apex) -> None:
    assert "Nothing matches." in (await apex("search", "nothing")).stdout


async def test_the_status_tells_where_things_are(apex: Apex) -> None:
    status = orjson.loads((await apex("status", "--json")).stdout)

    assert status["status"] == "ready"
    assert status["docs"] == f"{status['api']}/docs"


async def test_what_is_down_is_told_and_ends_with_1(apex: Apex, world: World) -> None:
    async def refusing() -> None:
        raise StoreUnavailable("neo4j", "refused")

    world.probes["neo4j"] = refusing

    result = await apex("status")

    assert result.exit_code == 1
    assert "Not answering: neo4j" in result.stderr


async def test_one_ingestion_is_told_with_its_outcome(apex: Apex, world: World, tmp_path: Path) -> None:
    (tmp_path / "note.md").write_text("# Night shift\n\nAll quiet.\n")
    await apex("ingest", str(tmp_path))
    (event_id,) = world.inbox.events

    shown, as_json = await apex("status", str(event_id)), await apex("status", str(event_id), "--json")

    assert "committed" in shown.stdout
    assert orjson.loads(as_json.stdout)["label"] == "note.md"


async def test_an_unknown_ingestion_ends_with_1(apex: Apex) -> None:
    result = await apex("status", str(uuid4()))

    assert result.exit_code == 1
    assert "Item not found (404)" in result.stderr
