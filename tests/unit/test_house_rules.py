"""Rules of the house that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

import apex_memory
from apex_memory.domain.queues import Queue
from apex_memory.pipeline import STAGES
from apex_memory.workflows.registry import WORKFLOWS

PACKAGE = Path(apex_memory.__file__).parent
ROOT = PACKAGE.parent.parent
MODULES = sorted(PACKAGE.rglob("*.py"))
WORKFLOW_PARTS = {"attributes", "ingest", "policies", "reasons", "registry", "saga", "steps", "write"}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "handler", "base"}
LONGEST_MODULE = 300


def _folders(path: Path) -> set[str]:
    return {p.name for p in path.iterdir() if (p / "__init__.py").exists()}


def _modules(path: Path) -> set[str]:
    return {p.stem for p in path.glob("*.py")} - {"__init__"}


def test_the_stages_are_the_folders_of_the_pipeline() -> None:
    assert set(STAGES) == _folders(PACKAGE / "pipeline")


def test_every_workflow_module_is_registered() -> None:
    registered = {workflow.__module__.rpartition(".")[2] for workflow in WORKFLOWS}

    assert registered == _modules(PACKAGE / "workflows") - WORKFLOW_PARTS


def test_every_queue_has_a_worker_script() -> None:
    assert {str(queue) for queue in Queue} == _modules(ROOT / "workers")


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_a_module_says_in_its_first_line_what_comes_in_and_what_goes_out(module: Path) -> None:
    docstring = ast.get_docstring(ast.parse(module.read_text()))

    assert docstring
    assert docstring.splitlines()[0].endswith(".")


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(m.relative_to(PACKAGE)): len(m.read_text().splitlines()) for m in MODULES}

    assert {name: n for name, n in lengths.items() if n > LONGEST_MODULE} == {}


def test_everything_has_a_name_of_its_own() -> None:
    names = {part.strip("_") for m in MODULES for part in m.relative_to(PACKAGE).with_suffix("").parts}

    assert names & NAMELESS == set()


def test_every_link_in_the_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    links = [
        (document.relative_to(ROOT), target)
        for document in documents
        for target in re.findall(r"\]\(([^)#\s]+)", document.read_text())
        if "://" not in target
    ]

    assert [(d, t) for d, t in links if not ((ROOT / d).parent / t).exists()] == []
