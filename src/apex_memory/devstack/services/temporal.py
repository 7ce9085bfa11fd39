"""A site in, Temporal's development server with its UI out, its history kept in one SQLite file."""

from functools import partial
from pathlib import Path
from typing import Final

from apex_memory.devstack.installation import TEMPORAL_SERVER
from apex_memory.devstack.loopback import HOST
from apex_memory.devstack.probes import temporal_answers
from apex_memory.devstack.service import Service
from apex_memory.devstack.site import Site

NAME: Final = "temporal"
PORTS: Final = ("temporal", "temporal-ui", "temporal-http", "temporal-metrics")
SEARCH_ATTRIBUTES: Final = ("ApexTenantId", "ApexSource", "ApexItemId", "ApexStage")
DYNAMIC_CONFIG: Final = (
    # The dev server has one shard and polls its queues 20 times a second per shard: 50 ms for each activity.
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=2000",
    "matching.enableFairness=true",
)


def temporal(site: Site) -> Service:
    data = site.directory(NAME)

    async def prepare() -> None:
        _drop_other_version(data)

    return Service(
        name=NAME,
        prepare=prepare,
        command=(str(site.installation.temporal()), *_arguments(site, data)),
        environment=site.environment,
        directory=site.home.run,
        ready=partial(answers, site),
        endpoints={"Temporal UI": site.endpoints.temporal_ui_url},
    )


async def answers(site: Site) -> None:
    namespace = site.environment.get("APEX_TEMPORAL_NAMESPACE", "default")
    await temporal_answers(site.endpoints.temporal_address, namespace)


def _arguments(site: Site, data: Path) -> list[str]:
    frontend, ui, http, metrics = (str(site.ports[name]) for name in PORTS)
    # fmt: off
    return [
        "server",
        "start-dev",
        "--ip", HOST,
        "--port", frontend,
        "--ui-port", ui,
        "--http-port", http,
        "--metrics-port", metrics,
        "--db-filename", str(data / "temporal.db"),
        "--sqlite-pragma", "journal_mode=wal",
        "--sqlite-pragma", "synchronous=1",
        "--log-level", "warn",
        *(part for name in SEARCH_ATTRIBUTES for part in ("--search-attribute", f"{name}=Keyword")),
        *(part for entry in DYNAMIC_CONFIG for part in ("--dynamic-config-value", entry)),
    ]
    # fmt: on


def _drop_other_version(data: Path) -> None:
    """The server makes its schema for a new file only: a file of another version is deleted."""
    data.mkdir(exist_ok=True)
    stamp = data / "version"
    if stamp.exists() and stamp.read_text() == TEMPORAL_SERVER:
        return
    for file in data.glob("temporal.db*"):
        file.unlink()
    stamp.write_text(TEMPORAL_SERVER)
