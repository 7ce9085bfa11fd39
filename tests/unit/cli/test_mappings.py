"""Mappings from a terminal: tried, put, shown, listed, removed."""

from pathlib import Path

import orjson
import pytest
from tests.unit.api.test_mappings import MAPPING, ORDER
from tests.unit.cli.conftest import Apex


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A mapping and a record."""
    mapping, record = tmp_path / "mapping.json", tmp_path / "record.json"
    mapping.write_bytes(orjson.dumps(MAPPING))
    record.write_bytes(orjson.dumps(ORDER))
    return str(mapping), str(record)


async def test_what_was_put_is_shown_fit_to_be_put_again(apex: Apex, files: tuple[str, str]) -> None:
    put = await apex("mappings", "put", "web-shop", files[0])
    shown = await apex("mappings", "show", "web-shop")
    again = await apex("mappings", "put", "crm", "-", given=shown.stdout)
    listed = await apex("mappings", "list", "--json")

    assert (put.exit_code, again.exit_code) == (0, 0)
    assert orjson.loads(shown.stdout) == MAPPING
    assert [known["source"] for known in orjson.loads(listed.stdout)["mappings"]] == ["crm", "web-shop"]


async def test_what_was_removed_is_gone(apex: Apex, files: tuple[str, str]) -> None:
    await apex("mappings", "put", "web-shop", files[0])

    removed = await apex("mappings", "remove", "web-shop")
    listed, shown = await apex("mappings", "list"), await apex("mappings", "show", "web-shop")

    assert removed.exit_code == 0
    assert "web-shop" not in listed.stdout
    assert shown.exit_code == 1
    assert "web-shop" in shown.stderr


async def test_a_trial_prints_what_the_mapping_makes(apex: Apex, files: tuple[str, str]) -> None:
    told = await apex("mappings", "try", *files)
    as_json = await apex("mappings", "try", "-", files[1], "--json", given=orjson.dumps(MAPPING).decode())

    assert told.exit_code == 0, told.stderr
    assert "order 1042: Spring order" in told.stdout
    assert "Spring order has status shipped" in told.stdout
    assert orjson.loads(as_json.stdout)["external_id"] == "1042"


async def test_what_is_wrong_is_told_with_its_place(apex: Apex, files: tuple[str, str]) -> None:
    wrong = await apex("mappings", "put", "web-shop", "-", given='{"id": "number"}')
    lacking = await apex("mappings", "try", files[0], "-", given='{"name": "x"}')
    ours = await apex("mappings", "put", "turvo", files[0])

    assert (wrong.exit_code, lacking.exit_code, ours.exit_code) == (1, 1, 1)
    assert "/id: expected a JSONPath" in wrong.stderr
    assert "/record/number: required, and missing" in lacking.stderr
    assert "source: this source's records are read by our own rules" in ours.stderr


async def test_a_file_that_is_no_json_is_told_by_its_name(apex: Apex, files: tuple[str, str]) -> None:
    result = await apex("mappings", "try", files[0], "-", given="{")

    assert result.exit_code == 2
    assert "RECORD is not JSON" in result.stderr


async def test_records_of_an_own_source_are_sent_from_files(apex: Apex, files: tuple[str, str]) -> None:
    await apex("mappings", "put", "web-shop", files[0])

    sent = await apex("ingest", files[1], "--source", "web-shop")
    found = await apex("search", "Spring order", "--json")

    assert sent.exit_code == 0, sent.stdout
    assert "Spring order has status shipped" in found.stdout
