"""A site in, the product's own processes out: migration, API, relay, one worker for each task queue."""

import sys
from datetime import UTC, datetime
from functools import partial
from typing import Final

from apex_memory.devstack.loopback import HOST
from apex_memory.devstack.probes import http_answers, somebody_listens, worker_polls
from apex_memory.devstack.service import Service
from apex_memory.devstack.site import Site
from apex_memory.domain.queues import Queue

STORE_NAMES: Final = ("postgres", "redis", "neo4j", "vectors")
MIGRATE: Final = "migrate"
AFTER_READY: Final = "after-ready"
INBOX_CHANNEL: Final = "apex_inbox"
# On two cores that have other work to do, eight Python processes were seen to need 60 s for their imports.
START_S: Final = 120.0
AFTER_READY_S: Final = 180.0
_PYTHON: Final = (sys.executable, "-P", "-m")


def migrate(site: Site) -> Service:
    return Service(
        name=MIGRATE,
        deps=("postgres",),
        command=(*_PYTHON, "apex_memory.devstack.migrate"),
        environment=site.environment,
        directory=site.home.run,
        once=True,
        deadline_s=START_S,
    )


def api(site: Site) -> Service:
    return Service(
        name="api",
        deps=(MIGRATE, *STORE_NAMES, "temporal"),
        command=(*_PYTHON, "apex_memory.cli", "api", "--host", HOST, "--port", str(site.ports["api"])),
        environment=site.environment,
        directory=site.home.run,
        ready=partial(api_answers, site),
        deadline_s=START_S,
        endpoints={"API": site.endpoints.api_url, "API docs": f"{site.endpoints.api_url}/docs"},
    )


async def api_answers(site: Site) -> None:
    await http_answers("api", f"{site.endpoints.api_url}/readyz")


def relay(site: Site) -> Service:
    start = _Start()

    async def listens() -> None:
        await somebody_listens(site.endpoints.postgres_url, channel=INBOX_CHANNEL, since=start.moment)

    return Service(
        name="relay",
        deps=(MIGRATE, "postgres", "temporal"),
        prepare=start.note,
        command=(*_PYTHON, "apex_memory.cli", "relay"),
        environment=site.environment,
        directory=site.home.run,
        ready=listens,
        deadline_s=START_S,
    )


def worker_name(queue: Queue) -> str:
    return f"worker-{queue}"


def worker(queue: Queue, site: Site) -> Service:
    start = _Start()

    async def polls() -> None:
        await worker_polls(
            site.endpoints.temporal_address,
            site.environment.get("APEX_TEMPORAL_NAMESPACE", "default"),
            queue=queue.named(site.environment.get("APEX_QUEUE_PREFIX", "apex")),
            since=start.moment,
        )

    return Service(
        name=worker_name(queue),
        deps=(MIGRATE, *STORE_NAMES, "temporal"),
        prepare=start.note,
        command=(*_PYTHON, "apex_memory.cli", "worker", str(queue)),
        environment=site.environment,
        directory=site.home.run,
        ready=polls,
        deadline_s=START_S,
        stop_deadline_s=float(site.environment.get("APEX_GRACEFUL_SHUTDOWN_S", "20")) + 5,
    )


class _Start:
    """When a process was last started: what servers saw of its predecessor says nothing about it."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    async def note(self) -> None:
        self.moment = datetime.now(UTC)


def after_ready(site: Site) -> Service:
    """The steps of `devstack/after_ready.py`, once everything answers."""
    return Service(
        name=AFTER_READY,
        deps=("api", "relay", *(worker_name(queue) for queue in Queue)),
        command=(*_PYTHON, "apex_memory.devstack.after_ready"),
        environment=site.environment,
        directory=site.home.run,
        once=True,
        deadline_s=AFTER_READY_S,
    )
