"""The command line as someone meets it: help, missing settings, an API that is not there."""

import subprocess
import sys
from uuid import UUID

import pytest
from typer.testing import CliRunner

from apex_memory.cli import app
from apex_memory.settings import process_environment

COMMANDS = ["demo", "ingest", "search", "status", "forget", "api", "relay", "worker"]
ASKING = [["demo"], ["ingest", __file__], ["search", "x"], ["status"], ["forget", str(UUID(int=1))]]
HEAVY = ("fastapi", "httpx", "numpy", "orjson", "psycopg", "temporalio", "uvicorn")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_is_for_with_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])

    assert result.exit_code == 0
    assert f"apex {command}" in result.output
    assert "Example" in result.output


def test_help_loads_nothing_that_only_the_work_needs() -> None:
    program = f"import sys, apex_memory.cli; print([m for m in {HEAVY!r} if m in sys.modules])"

    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "[]"


def test_it_runs_as_a_module() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "apex_memory.cli", "--help"], capture_output=True, text=True, check=True
    )

    assert "Usage: apex" in shown.stdout


@pytest.mark.parametrize("arguments", [*ASKING, ["api"], ["relay"], ["worker"]])
def test_missing_settings_are_named_and_end_with_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    for name in process_environment():
        if name.startswith("APEX_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("APEX_HOME", str(tmp_path))

    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert "APEX_POSTGRES_URL" in result.stderr
    assert "apex dev up" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("arguments", ASKING)
def test_a_missing_key_is_named_and_ends_with_2(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APEX_API_KEY")

    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert "APEX_API_KEY" in result.stderr


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("arguments", [["demo"], ["ingest", __file__], ["status"]])
def test_an_api_that_is_not_there_is_said_to_be_started_with_dev_up(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 1
    assert "apex dev up" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["worker", "laundry"],
        ["status", "no-uuid"],
        ["search", "x", "--limit", "0"],
        ["ingest", "/no/such"],
        ["forget"],
        ["forget", "--source", "turvo"],
        ["forget", "no-uuid"],
        ["forget", str(UUID(int=1)), "--source", "turvo", "--external-id", "SHIP-1"],
    ],
)
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, arguments).exit_code == 2
