"""A site in, Redis out: append-only file synced every second, on the loopback interface only."""

from functools import partial
from typing import Final

from apex_memory.devstack.loopback import HOST
from apex_memory.devstack.probes import redis_answers
from apex_memory.devstack.service import Service
from apex_memory.devstack.site import Site

NAME: Final = "redis"


def redis(site: Site) -> Service:
    data = site.directory(NAME)
    data.mkdir(exist_ok=True)
    # fmt: off
    command = (
        str(site.installation.redis()),
        "--bind", HOST,
        "--port", str(site.ports[NAME]),
        "--dir", str(data),
        "--save", "",
        "--appendonly", "yes",
        "--appendfsync", "everysec",
    )
    # fmt: on
    return Service(
        name=NAME,
        command=command,
        environment=site.environment,
        directory=data,
        ready=partial(answers, site),
    )


async def answers(site: Site) -> None:
    await redis_answers(site.endpoints.redis_url)
