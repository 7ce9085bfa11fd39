"""A question about this process in, whether it lives and whether it can serve out; no key, no secrets."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import APIRouter

from apex_memory.api.documented import problems
from apex_memory.api.models import Alive, ProblemDetail, Readiness
from apex_memory.api.problems import Refused
from apex_memory.api.state import OpenMemory, ProcessDraining
from apex_memory.domain.errors import StoreUnavailable

PROBE_DEADLINE_S: Final = 2.0
#: A cache: without it every answer is the same, only later.
_DISPENSABLE: Final = frozenset({"redis"})

log = structlog.get_logger()

router = APIRouter(tags=["health"])


@router.get("/livez", operation_id="getLiveness")
async def get_liveness() -> Alive:
    """This process answers; says nothing of what it depends on."""
    return Alive()


@router.get("/readyz", operation_id="getReadiness", responses=problems(503))
async def get_readiness(memory: OpenMemory, draining: ProcessDraining) -> Readiness:
    """Everything that this process depends on answers."""
    if draining.begun:
        raise _not_ready("This process is ending.", [])
    names = sorted(memory.probes)
    answers = await asyncio.gather(*(_answers(name, memory.probes[name]) for name in names))
    down = [name for name, answered in zip(names, answers, strict=True) if not answered]
    if missing := [name for name in down if name not in _DISPENSABLE]:
        raise _not_ready(f"Not answering: {', '.join(missing)}.", missing)
    return Readiness(degraded=tuple(down))


async def _answers(name: str, probe: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(PROBE_DEADLINE_S):
            await probe()
    except (StoreUnavailable, TimeoutError) as exc:
        log.warning("probe.failed", store=name, reason=str(exc) or "no answer in time")
        return False
    return True


def _not_ready(detail: str, down: list[str]) -> Refused:
    errors = [ProblemDetail(detail=f"{name} does not answer", parameter=name) for name in down]
    headers = {"Retry-After": "1"}
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, detail, errors=errors, headers=headers)
