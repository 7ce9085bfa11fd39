"""Neo4j's jars in, an archive of its parsed classes out, with which it starts in half the time."""

import asyncio
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.devstack.probes import neo4j_answers
from apex_memory.devstack.service import ServiceFailed
from apex_memory.devstack.services.neo4j import NAME, neo4j_command, write_configuration

STARTED: Final = "Started."
STOP_DEADLINE_S: Final = 120.0


def build_archive(installation: Installation) -> None:
    """Run Neo4j once in a directory of its own; Java writes the archive when it ends. Takes about 20 s.

    Raises:
        ServiceFailed: with what Neo4j said.
    """
    with tempfile.TemporaryDirectory(dir=installation.lib) as scratch:
        home = Path(scratch)
        draft = home / "draft.jsa"
        port = assign_ports([NAME], kept={})[NAME]
        write_configuration(home, port)
        command = neo4j_command(installation, home, extra=[f"-XX:ArchiveClassesAtExit={draft}"])
        said = _start_and_stop(command, f"bolt://{HOST}:{port}", home / "output.log")
        if not draft.exists():
            raise ServiceFailed(NAME, f"it wrote no archive of its classes; it said:\n{said}")
        draft.replace(installation.neo4j_archive_file)


def _start_and_stop(command: tuple[str, ...], url: str, log: Path) -> str:
    """Returns what it said until it had started and answered once, or until it gave up."""
    said: list[str] = []
    with (
        log.open("w") as noise,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True) as neo4j,  # noqa: S603 - our own
    ):
        for line in neo4j.stdout or ():
            said.append(line)
            if line.rstrip().endswith(STARTED):
                asyncio.run(neo4j_answers(url))  # so that the classes of a query are in the archive too
                break
        neo4j.terminate()
        # While it stops, its words must be read, or it would wait for ever to be heard.
        neo4j.communicate(timeout=STOP_DEADLINE_S)
    return "".join(said)
