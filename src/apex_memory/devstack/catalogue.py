"""Names in, services out: everything that `apex dev` can start, in one list."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from apex_memory.devstack.service import Service, nothing
from apex_memory.devstack.services import neo4j, postgres, product, redis, temporal, vectors
from apex_memory.devstack.site import Site
from apex_memory.domain.queues import Queue

EXTERNAL_DEADLINE_S: Final = 15.0


@dataclass(frozen=True)
class Blueprint:
    """How one service is made.

    `answers`: asks whether it is healthy, ours or given; None where only its process can tell.
    `ports`: names of those it listens on.
    `setting`: the field of Endpoints that takes its place when the environment gives it.
    """

    name: str
    build: Callable[[Site], Service]
    answers: Callable[[Site], Awaitable[None]] | None = None
    ports: tuple[str, ...] = ()
    setting: str = ""


CATALOGUE: Final[tuple[Blueprint, ...]] = (
    Blueprint("postgres", postgres.postgres, postgres.answers, ports=("postgres",), setting="postgres_url"),
    Blueprint("redis", redis.redis, redis.answers, ports=("redis",), setting="redis_url"),
    Blueprint("neo4j", neo4j.neo4j, neo4j.answers, ports=("neo4j",), setting="neo4j_url"),
    Blueprint("vectors", vectors.vectors, vectors.answers, ports=("vectors",), setting="qdrant_url"),
    Blueprint(
        "temporal", temporal.temporal, temporal.answers, ports=temporal.PORTS, setting="temporal_address"
    ),
    Blueprint(product.MIGRATE, product.migrate),
    Blueprint("api", product.api, product.api_answers, ports=("api",)),
    Blueprint("relay", product.relay),
    *(Blueprint(product.worker_name(queue), partial(product.worker, queue)) for queue in Queue),
    Blueprint(product.AFTER_READY, product.after_ready),
)

STORES: Final = tuple(b.name for b in CATALOGUE if b.setting)
ALL: Final = tuple(b.name for b in CATALOGUE)
PORT_NAMES: Final = tuple(port for b in CATALOGUE for port in b.ports)
SETTINGS: Final = {b.name: b.setting for b in CATALOGUE if b.setting}


def build_services(site: Site, names: Iterable[str]) -> list[Service]:
    """The named services; those that were given by URL are only asked whether they answer."""
    wanted = set(names)
    return [_given(b, site) if b.name in site.given else b.build(site) for b in CATALOGUE if b.name in wanted]


def _given(blueprint: Blueprint, site: Site) -> Service:
    ready = partial(blueprint.answers, site) if blueprint.answers else nothing
    return Service(name=blueprint.name, ready=ready, deadline_s=EXTERNAL_DEADLINE_S)
