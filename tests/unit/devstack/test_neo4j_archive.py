"""A Neo4j that starts and does not answer fails its installation, and is not waited for."""

import sys
from pathlib import Path

import pytest

from apex_memory.devstack import neo4j_archive
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.devstack.service import ServiceFailed

SILENT = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1], "w").write(str(os.getpid()))
print("Started.", flush=True)
time.sleep(600)
"""


def test_one_that_never_answers_is_not_left_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neo4j_archive, "ANSWER_DEADLINE_S", 0.0)
    noted = tmp_path / "pid"
    nobody = assign_ports(["neo4j"], kept={})["neo4j"]
    command = (sys.executable, "-c", SILENT, str(noted))

    with pytest.raises(ServiceFailed):
        neo4j_archive.start_and_stop(command, f"bolt://{HOST}:{nobody}", tmp_path / "log")

    assert not Path("/proc", noted.read_text()).exists()
