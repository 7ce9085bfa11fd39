"""Neo4j's jars in, an archive of its parsed classes out, with which it starts in half the time."""

import asyncio
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.devstack.probes import neo4j_answers
from apex_memory.devstack.service import ServiceFailed
from apex_memory.devstack.services.neo4j import NAME, neo4j_command, write_configuration
from apex_memory.domain.errors import StoreUnavailable

STARTED: Final = "Started."
ANSWER_DEADLINE_S: Final = 60.0
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
        said = start_and_stop(command, f"bolt://{HOST}:{port}", home / "output.log")
        if not draft.exists():
            raise ServiceFailed(NAME, f"it wrote no archive of its classes; it said:\n{said}")
        draft.replace(installation.neo4j_archive_file)


def start_and_stop(command: tuple[str, ...], url: str, log: Path) -> str:
    """Returns what it said until it had started and answered once, or until it gave up.

    Raises:
        ServiceFailed: it does not answer. It does not run any more, whatever went wrong.
    """
    said: list[str] = []
    with (
        log.open("w") as noise,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=noise, text=True) as neo4j,  # noqa: S603 - our own
    ):
        try:
            for line in neo4j.stdout or ():
                said.append(line)
                if line.rstrip().endswith(STARTED):
                    asyncio.run(_answered(url))  # so that the classes of a query are in the archive too
                    break
            neo4j.terminate()
            # While it stops, its words must be read, or it would wait for ever to be heard.
            neo4j.communicate(timeout=STOP_DEADLINE_S)
        finally:
            # Leaving waits for it, whatever went wrong.
            neo4j.kill()
    return "".join(said)


async def _answered(url: str) -> None:
    """Raises ServiceFailed. On a slow core that has other work, its first answer takes many seconds."""
    until = time.monotonic() + ANSWER_DEADLINE_S
    while True:
        try:
            await neo4j_answers(url)
        except StoreUnavailable as exc:
            if time.monotonic() > until:
                raise ServiceFailed(NAME, exc.reason) from exc
            await asyncio.sleep(1)
        else:
            return
