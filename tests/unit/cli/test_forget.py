"""Items forgotten from a terminal, by id or by name, with the receipt if someone waits for it."""

import pytest
from tests.unit.api.fakes import ALICE
from tests.unit.api.world import World
from tests.unit.cli.conftest import Apex
from tests.unit.retrieval.world import saying

from apex_memory.api.models import ForgettingStatus
from apex_memory.cli import forget
from apex_memory.domain import ids

NOTE = saying("note-1", "TRUCK-6520 waits at door 7")
ITEM = str(ids.item_id(ALICE, "api", "note-1"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forget, "_LOOK_S", 0.01)


async def test_an_item_is_forgotten_and_its_state_told(apex: Apex, world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    result = await apex("forget", ITEM)

    assert result.exit_code == 0
    assert "erasing" in result.stdout
    assert (await apex("search", "TRUCK-6520 waits")).stdout.strip() == "Nothing matches."


async def test_who_waits_gets_the_receipt(apex: Apex, world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    result = await apex("forget", "--source", "api", "--external-id", "note-1", "--wait")

    assert result.exit_code == 0
    assert "second count" in result.stdout
    assert "postgres 0, redis 0" in result.stdout


async def test_the_receipt_as_json_is_the_apis_answer(apex: Apex, world: World) -> None:
    await world.remembered.remember(ALICE, NOTE)

    result = await apex("forget", ITEM, "--wait", "--json")

    assert ForgettingStatus.model_validate_json(result.stdout).state == "done"


async def test_what_is_not_there_ends_with_1(apex: Apex) -> None:
    result = await apex("forget", ITEM)

    assert result.exit_code == 1
    assert ITEM in result.stderr
