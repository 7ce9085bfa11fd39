"""How the upkeep is configured and called: what would tear answers apart is refused, names agree."""

import pytest
from pydantic import ValidationError

from apex_memory.bootstrap.schedules import SCHEDULED
from apex_memory.cli.upkeep import Kind
from apex_memory.domain.queues import Queue
from apex_memory.settings import Settings
from apex_memory.workflows.policies import options

_REQUIRED = {
    "postgres_url": "postgresql://x",
    "qdrant_url": "http://x",
    "neo4j_url": "bolt://x",
    "redis_url": "redis://x",
    "temporal_address": "x:1",
}


def test_a_grace_below_two_reads_is_refused() -> None:
    with pytest.raises(ValidationError, match="twice the longest read"):
        Settings.model_validate({**_REQUIRED, "read_deadline_s": 10, "grace_s": 19})


def test_a_grace_of_two_reads_is_taken() -> None:
    assert Settings.model_validate({**_REQUIRED, "read_deadline_s": 10, "grace_s": 20}).grace_s == 20


def test_the_reaper_waits_longer_than_an_attempt_to_write_may_take() -> None:
    settings = Settings.model_validate(_REQUIRED)

    assert settings.reap_after_s > 2 * options(Queue.WRITE, prefix="apex")["start_to_close_timeout"].seconds


def test_the_command_line_runs_what_is_scheduled() -> None:
    assert [kind.name for kind in SCHEDULED] == [str(kind) for kind in Kind]
