"""A seed in, deliveries to every kind of endpoint, and which of them were judged wrongly or lost, out."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from structlog.processors import format_exc_info
from structlog.testing import capture_logs
from tests.fuzz.books import Books
from tests.fuzz.doors import MOST, doors
from tests.fuzz.oracle import Door, judged
from tests.fuzz.report import Part
from tests.fuzz.transit import posted
from tests.fuzz.ways import NOW
from tests.fuzz.wire import answered
from tests.unit.api.world import World, opened
from tests.unit.hooks.senders import ODD

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.hooks import Delivery, Endpoint, HmacRule, Receipt
from apex_memory.pipeline.intake.allowance import Allowances
from apex_memory.pipeline.intake.gateway import Gateway
from apex_memory.pipeline.intake.verification.hmac import GITHUB, SLACK, STRIPE

#: Requests to one application: after so many it is a new one, with an empty inbox.
ROUND = 500
NAME = "deliveries"
_RULES: dict[str, HmacRule] = {"github": GITHUB, "stripe": STRIPE, "slack": SLACK, "odd": ODD}
_CLOCK = datetime.fromtimestamp(NOW, UTC)

Changed = Callable[[World], Gateway]


class GatewayThen:
    """The gateway at the moment of the recordings."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        del now
        return await self._gateway.receive(source, endpoint_id, delivery, now=_CLOCK)


def run(
    part: Part, numbers: range, *, changed: Changed = lambda world: world.app.state.memory.gateway
) -> None:
    """`numbers` begin with a round. `changed`: of a world, the gateway that is to be tried."""
    for begin in range(numbers.start, numbers.stop, ROUND):
        asyncio.run(_round(part, range(begin, min(begin + ROUND, numbers.stop)), changed))


async def _round(part: Part, numbers: range, changed: Changed) -> None:
    async with _open(changed) as world:
        books = Books(world.inbox)
        with capture_logs(processors=[format_exc_info]) as log:
            for number in numbers:
                await _post(part, number, world, books)
                broken = [entry["exception"] for entry in log if "exception" in entry]
                if broken:
                    request = posted(part.seed, number).request
                    part.violated("an exception", number=number, request=request, story=broken[-1])
                log.clear()
        if lost := books.audit():
            request = posted(part.seed, numbers[-1]).request
            part.violated("lost", number=numbers[-1], request=request, story=lost)


async def _post(part: Part, number: int, world: World, books: Books) -> None:
    sent = posted(part.seed, number)
    verdict = judged(sent.request, doors(), sent.signed, most=MOST)
    answer = await answered(world.app, sent.request)
    part.count(answer.status, verdict)
    door = doors().get(sent.request.path())
    for kind, story in books.entered(answer, sent.request, door, verdict):
        part.violated(kind, number=number, request=sent.request, story=story)


@asynccontextmanager
async def _open(changed: Changed) -> AsyncGenerator[World, None]:
    async with opened(allowances=Allowances.of(0)) as world:
        memory: Memory = world.app.state.memory
        for door in doors().values():
            await _make(memory, door)
        world.app.state.memory = replace(
            memory,
            gateway=cast("Gateway", GatewayThen(changed(world))),
            settings=memory.settings.model_copy(update={"max_record_bytes": MOST}),
        )
        yield world


async def _make(memory: Memory, door: Door) -> None:
    """The secrets in the order in which an owner changes them: those that are over first."""
    rule = _RULES.get(door.ways[0])
    endpoint = Endpoint(
        endpoint_id=door.endpoint_id,
        source=door.source,
        scheme="hmac" if rule else door.ways[0],
        rule=rule,
        label=door.endpoint_id,
        created_at=_CLOCK,
    )
    first, *others = [*door.over, *reversed(door.live)]
    await memory.endpoints.create(door.tenant_id, endpoint, secret=first)
    for at, secret in enumerate(others, start=1):
        overlap_s = 0 if at <= len(door.over) else 86_400
        await memory.endpoints.rotate(door.tenant_id, door.endpoint_id, secret=secret, overlap_s=overlap_s)
    if door.disabled:
        await memory.endpoints.enable(door.tenant_id, door.endpoint_id, enabled=False)
