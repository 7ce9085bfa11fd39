"""The documents against the code: every name in them exists, and what they list is complete."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import typer.main
from typer import Typer

import apex_memory
from apex_memory.cli import app
from apex_memory.cli.dev import app as dev_app
from apex_memory.domain import errors
from apex_memory.domain.ledger import CommitState, Outcome
from apex_memory.domain.queues import Queue
from apex_memory.pipeline import STAGES
from apex_memory.settings import ENV_PREFIX, Settings
from apex_memory.workflows import attributes
from apex_memory.workflows.registry import WORKFLOWS

PACKAGE = Path(apex_memory.__file__).parent
ROOT = PACKAGE.parent.parent
README = (ROOT / "README.md").read_text()
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs" / "adr").glob("0*.md"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

LONGEST_README = 120
LONGEST_DECISION = 80
PARTS = ["Status", "Context", "Decision", "Options considered", "Consequences"]
#: Words of Temporal's list filters and histories.
TEMPORAL = {
    "ExecutionStatus",
    "StartTime",
    "CloseTime",
    "WorkflowId",
    "WorkflowTaskFailed",
    "FirstWorkflowTask",
}
SETTINGS = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields} | {f"{ENV_PREFIX}HOME"}

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
every_decision = pytest.mark.parametrize("decision", DECISIONS, ids=lambda d: d.stem)


def _code(text: str) -> str:
    """What stands in blocks and between backticks: the parts of a document that someone will type."""
    blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"^ *```\w*\n.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", prose)])


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)


def _section(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def _first_cells(text: str) -> list[str]:
    return re.findall(r"^\| ([^|]+) \|", text, flags=re.MULTILINE)


def _anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _commands(of: Typer) -> set[str]:
    return set(typer.main.get_group(of).commands)


def _source(*folders: str) -> Iterable[str]:
    return (module.read_text() for folder in folders for module in (PACKAGE / folder).rglob("*.py"))


def _activities() -> set[str]:
    """As they are registered; those of a store carry its name."""
    text = "\n".join(_source("activities"))
    stores = set(
        re.findall(r"^    (\w+): \w+Store$", "\n".join(_source("pipeline/stores")), flags=re.MULTILINE)
    )
    per_store = re.findall(r'name=f"(\w+)_\{store\.name\}_activity"', text)
    plain = set(re.findall(r"@activity\.defn\s+async def (\w+_activity)\(", text))
    return plain | {f"{verb}_{store}_activity" for verb in per_store for store in stores}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= LONGEST_README


def test_the_readme_shows_the_stages_in_their_order() -> None:
    assert " → ".join(STAGES) in README


def test_the_files_that_the_readme_sends_are_there() -> None:
    sent = re.findall(r"\$\(cat ([^)]+)\)", README)

    assert sent
    assert [name for name in sent if not (ROOT / name).exists()] == []


@every_decision
def test_a_decision_has_all_its_parts_and_is_short(decision: Path) -> None:
    text = decision.read_text()

    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == PARTS
    assert text.startswith(f"# {decision.name[:4]}. ")
    assert len(text.splitlines()) <= LONGEST_DECISION


def test_every_decision_is_in_the_index_under_its_title() -> None:
    index = (ROOT / "docs" / "adr" / "index.md").read_text()

    listed = re.findall(r"^\| (\d{4}) \| \[(.+)\]\((.+)\) \|", index, flags=re.MULTILINE)
    there = [(d.name[:4], d.read_text().splitlines()[0].partition(". ")[2], d.name) for d in DECISIONS]

    assert listed == there


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(d.name[:4]) for d in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_boxes_of_the_flowchart_are_the_folders_of_the_pipeline_each_with_its_link() -> None:
    [chart] = _blocks(_section(ARCHITECTURE, "The way of data"), "mermaid")

    boxes = dict(re.findall(r"(\w+)\[\"([^\"]+)\"\]", chart))
    links = dict(re.findall(r"click (\w+) href \"\.\./src/apex_memory/pipeline/(\w+)\"", chart))

    assert boxes == {stage: stage for stage in STAGES}
    assert links == boxes


def test_the_table_of_stages_is_in_their_order() -> None:
    stages = re.findall(r"^\| \[(\w+)\]", _section(ARCHITECTURE, "The way of data"), flags=re.MULTILINE)

    assert stages == list(STAGES)


def test_the_layers_are_those_of_the_contract() -> None:
    [contract] = [c for c in PYPROJECT["tool"]["importlinter"]["contracts"] if c["id"] == "layers"]

    cells = _first_cells(_section(ARCHITECTURE, "Layers and contracts"))
    rows = [set(re.findall(r"`([a-z]+)`", cell)) for cell in cells]
    layers = [{name.strip() for name in layer.split("|")} for layer in contract["layers"]]

    assert [row for row in rows if row][: len(layers)] == layers


def test_every_contract_is_explained() -> None:
    contracts = {c["id"] for c in PYPROJECT["tool"]["importlinter"]["contracts"]}

    assert contracts <= {
        cell.strip("`") for cell in _first_cells(_section(ARCHITECTURE, "Layers and contracts"))
    }


def test_the_architecture_lists_every_activity() -> None:
    listed = set(re.findall(r"`(\w+_activity)`", _section(ARCHITECTURE, "Temporal queues and activities")))

    assert listed == _activities()


def test_the_glossary_explains_every_word_for_how_an_event_ends() -> None:
    explained = set(re.findall(r"^\| `(\w+)` \|", _section(GLOSSARY, "How it ends"), flags=re.MULTILINE))

    assert explained == {*map(str, Outcome), *map(str, CommitState)}


def test_no_word_of_the_glossary_is_explained_twice() -> None:
    words = [cell for cell in _first_cells(GLOSSARY) if cell not in {"Word", "Outcome", "State", "---"}]

    assert sorted(words) == sorted(set(words))


@every_document
def test_every_link_to_a_section_finds_its_heading(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)\s]+)\)", document.read_text())

    assert [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in _anchors(document.parent / target if target else document)
    ] == []


@every_document
def test_every_type_that_is_named_exists(document: Path) -> None:
    named = set(re.findall(r"(?<![\w./-])(?:[A-Z][a-z]+){2,}\b(?!\()", _code(document.read_text())))
    known = {name for name in vars(errors) if name[0].isupper()}
    known |= {key.name for key in attributes.ALL} | {workflow.__name__ for workflow in WORKFLOWS} | TEMPORAL
    in_code = {
        name
        for text in _source("domain", "pipeline", "workflows")
        for name in re.findall(r"^class (\w+)", text, re.MULTILINE)
    }

    assert named <= known | in_code


def test_operations_names_every_search_attribute_and_every_queue() -> None:
    code = _code(OPERATIONS)

    assert [key.name for key in attributes.ALL if key.name not in code] == []
    assert set(re.findall(r"\bapex-([a-z]+)\b", code)) == {*map(str, Queue)}


@every_document
def test_every_queue_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"(?<![\w./-])apex-([a-z]+)\b(?!-)", _code(document.read_text()))

    assert set(named) <= {*map(str, Queue)}


@every_document
def test_every_activity_that_is_named_exists(document: Path) -> None:
    named = re.findall(r"\b[a-z]\w+_activity\b", _code(document.read_text()))

    assert set(named) <= _activities()


@every_document
def test_every_setting_that_is_named_exists(document: Path) -> None:
    assert set(re.findall(rf"\b{ENV_PREFIX}[A-Z_]+\b", document.read_text())) <= SETTINGS


@every_document
def test_every_make_target_that_is_named_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))

    assert set(re.findall(r"\bmake ([a-z]+)\b", _code(document.read_text()))) <= targets


@every_document
def test_every_command_of_apex_that_is_named_exists(document: Path) -> None:
    code = _code(document.read_text())
    commands = set(re.findall(r"(?:^|[ /`])apex ([a-z]+)", code, flags=re.MULTILINE))
    of_dev = set(re.findall(r"(?:^|[ /`])apex dev ([a-z]+)", code, flags=re.MULTILINE))

    assert commands <= _commands(app) | {"dev"}
    assert of_dev <= _commands(dev_app)


@every_document
def test_every_table_that_a_query_reads_exists(document: Path) -> None:
    queries = "\n".join(_blocks(document.read_text(), "sql"))
    tables = {name for text in _source("schema/versions") for name in re.findall(r"CREATE TABLE (\w+)", text)}

    assert set(re.findall(r"\b(?:FROM|JOIN|UPDATE) (\w+)", queries)) <= tables


def test_every_log_event_that_is_named_is_written_somewhere() -> None:
    events = re.findall(r"^\| `(\w+\.\w+)` \|", _section(OPERATIONS, "Logs"), flags=re.MULTILINE)
    source = "\n".join(_source("."))

    assert events
    assert [event for event in events if f'"{event}"' not in source] == []


def test_every_endpoint_that_is_named_exists() -> None:
    routes = {
        prefix + path
        for text in _source("api")
        for prefix in re.findall(r'APIRouter\((?:prefix="([^"]*)")?', text)
        for path in re.findall(r'@router\.\w+\(\s*"([^"]*)"', text)
    }
    texts = [_code(document.read_text()) for document in DOCUMENTS]
    named = {path.rstrip("/") for text in texts for path in re.findall(r"/v1/[a-z]+", text)}

    assert named <= {"/".join(route.split("/")[:3]) for route in routes}
