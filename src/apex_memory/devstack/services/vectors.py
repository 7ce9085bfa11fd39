"""A site in, the vector service out: Qdrant's engine behind Qdrant's REST."""

import sys
from functools import partial
from typing import Final

from apex_memory.devstack.loopback import HOST
from apex_memory.devstack.probes import http_answers
from apex_memory.devstack.service import Service
from apex_memory.devstack.site import Site

NAME: Final = "vectors"


def vectors(site: Site) -> Service:
    data = site.directory(NAME)
    data.mkdir(exist_ok=True)
    # fmt: off
    command = (
        sys.executable,
        "-P",
        "-m", "apex_memory.devstack.vectors",
        "--root", str(data),
        "--host", HOST,
        "--port", str(site.ports[NAME]),
    )
    # fmt: on
    return Service(
        name=NAME,
        command=command,
        environment=site.environment,
        directory=site.home.run,
        ready=partial(answers, site),
        deadline_s=60,  # replays its write-ahead log first
    )


async def answers(site: Site) -> None:
    await http_answers(NAME, f"{site.endpoints.qdrant_url}/readyz")
