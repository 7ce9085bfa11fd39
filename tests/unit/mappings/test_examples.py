"""The examples of docs/mappings.md: each mapping makes of its record what the document says."""

import re
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from rich.console import Console

import apex_memory
from apex_memory.api.mappings import preview_of
from apex_memory.cli.mappings_run import told
from apex_memory.domain.mappings import (
    MAX_CLAIMS,
    MAX_ENTITIES,
    MAX_SAMPLES,
    MAX_TEXTS,
    OWN_NAME,
    RecordMapping,
)
from apex_memory.domain.paths import MAX_LOOKS, MAX_PATH
from apex_memory.pipeline.sources.mapped import MappedSource

DOCUMENT = (Path(apex_memory.__file__).parents[2] / "docs" / "mappings.md").read_text()
BLOCKS = re.findall(r"^```(?:json|text)\n(.*?)^```", DOCUMENT, flags=re.DOTALL | re.MULTILINE)
EXAMPLES = [tuple(BLOCKS[n : n + 3]) for n in range(0, len(BLOCKS), 3)]
NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.mark.parametrize(("mapping", "record", "expected"), EXAMPLES)
def test_an_example_is_what_comes_out(mapping: str, record: str, expected: str) -> None:
    source = MappedSource("web-shop", RecordMapping.model_validate_json(mapping))
    console = Console(width=200, highlight=False)

    with console.capture() as capture:
        console.print(told(preview_of(source.map_record(orjson.loads(record), received_at=NOW))))

    said = [line.strip() for line in capture.get().splitlines()]
    shown = [line.strip() for line in expected.splitlines()]
    assert shown
    # An example may leave out its end, and the time at which it was tried.
    assert [" ".join(line.split()) for line in said if not line.endswith("2026-11-21T00:00:00+00:00")][
        : len(shown)
    ] == [" ".join(line.split()) for line in shown]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 2
    assert all(len(example) == 3 for example in EXAMPLES)


def test_the_bounds_are_those_of_the_code() -> None:
    rules = f"{MAX_ENTITIES} entities, {MAX_CLAIMS} claims, {MAX_SAMPLES} samples, {MAX_TEXTS} texts"

    for told_bound in (rules, f"{MAX_PATH} characters", f"{MAX_LOOKS:,} places", OWN_NAME):
        assert told_bound in DOCUMENT
