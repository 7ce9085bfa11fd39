"""A small run of the fuzz of the API, and proof that it would notice: each broken promise is a violation."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Any
from uuid import uuid4

import pytest
from starlette.types import ASGIApp
from tests.fuzz import deliveries, operations
from tests.fuzz.doors import recordings
from tests.fuzz.oracle import Verdict
from tests.fuzz.report import Part
from tests.fuzz.transit import posted
from tests.fuzz.ways import NOW, WAYS, Signed, Way
from tests.fuzz.wire import Answer, Request, answered
from tests.unit.api.world import World
from tests.unit.hooks.senders import SENDERS

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, Receipt
from apex_memory.pipeline.intake.gateway import Gateway
from apex_memory.pipeline.intake.verification import _headers

SEED = 1
SECRET = "bm90IGEgc2VjcmV0LCBidXQgbG9uZyBlbm91Z2g="  # in base64, and a text as well


class Broken(Gateway):
    """A gateway that goes wrong after, or in place of, the real one."""

    def __init__(self, world: World) -> None:
        self._real: Gateway = world.app.state.memory.gateway
        self._kept = world.inbox.events
        self._count = count(1)

    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        return await self._real.receive(source, endpoint_id, delivery, now=now)


class Credulous(Broken):
    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        try:
            return await super().receive(source, endpoint_id, delivery, now=now)
        except DeliveryRefused:
            return Receipt(event_id=uuid4())


class Wary(Broken):
    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        if next(self._count) % 10 == 0:
            raise DeliveryRefused("it is a tenth")
        return await super().receive(source, endpoint_id, delivery, now=now)


class Forgetful(Broken):
    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        receipt = await super().receive(source, endpoint_id, delivery, now=now)
        if receipt.event_id and not receipt.duplicate:
            del self._kept[receipt.event_id]
        return receipt


class Hoarding(Broken):
    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        try:
            return await super().receive(source, endpoint_id, delivery, now=now)
        except DeliveryRefused:
            for kept in [*self._kept.values()][:1]:
                self._kept[uuid4()] = kept
            raise


class Tidying(Broken):
    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        receipt = await super().receive(source, endpoint_id, delivery, now=now)
        if receipt.event_id and not receipt.duplicate:
            kept = self._kept[receipt.event_id]
            self._kept[receipt.event_id] = kept.model_copy(update={"body": kept.body.rstrip()})
        return receipt


class Merging(Broken):
    """Takes what is new for what it took in first."""

    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        receipt = await super().receive(source, endpoint_id, delivery, now=now)
        first = next(iter(self._kept), receipt.event_id)
        if receipt.event_id in (None, first):
            return receipt
        self._kept.pop(receipt.event_id, None)
        return Receipt(event_id=first, duplicate=True)


class Late(Broken):
    """Whose clock was set back."""

    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        return await super().receive(
            source, endpoint_id, delivery, now=datetime.fromtimestamp(NOW - 90, now.tzinfo)
        )


class Failing(Broken):
    async def receive(self, source: str, endpoint_id: str, delivery: Delivery, *, now: datetime) -> Receipt:
        if any(not value.isascii() for value in delivery.headers.values()):
            raise UnicodeError
        return await super().receive(source, endpoint_id, delivery, now=now)


def tried(requests: int, changed: Callable[[World], Gateway] | None = None) -> Part:
    part = Part(deliveries.NAME, SEED)
    deliveries.run(part, range(requests), **({"changed": changed} if changed else {}))
    return part


def kinds(part: Part) -> set[str]:
    return {violation.kind for violation in part.violations}


def test_spoilt_and_sound_deliveries_are_judged_as_their_vendors_would() -> None:
    part = tried(1_500)

    assert part.violations == []
    assert part.requests == 1_500
    assert set(part.kinds) == set(Verdict)
    assert min(part.kinds.values()) > 50
    assert {200, 202, 401, 404, 410, 413, 415} <= set(part.statuses)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (Credulous, {"accepted forgery", "lost"}),
        (Wary, {"refused genuine"}),
        (Forgetful, {"lost"}),
        (Hoarding, {"kept and not told"}),
        (Tidying, {"lost"}),
        (Merging, {"lost"}),
        (Late, {"accepted forgery", "refused genuine"}),
        (Failing, {"not an answer of ours", "an exception"}),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_gateway_that_breaks_a_promise_is_noticed(
    changed: Callable[[World], Gateway], expected: set[str]
) -> None:
    assert expected <= kinds(tried(250, changed))


def test_an_id_that_may_hold_the_start_of_a_body_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_headers, "_ID", re.compile(r".{1,256}"))

    assert "accepted forgery" in kinds(tried(500))


def test_the_same_seed_and_number_are_the_same_request() -> None:
    assert [posted(SEED, number) for number in range(50)] == [posted(SEED, number) for number in range(50)]
    assert posted(SEED, 1) != posted(SEED + 1, 1)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_table_of_ways_signs_as_the_senders_do(way: Way) -> None:
    [sender] = [sender for sender in SENDERS if sender.name == way.name]
    named = "7" if way.name == "odd" else "msg_1"

    made = Signed.by(way, SECRET, b'{"a": 1}', at=NOW, id=named).headers()

    assert made == sender.headers_for(SECRET, b'{"a": 1}', NOW)


def test_the_recordings_are_signed_by_the_table() -> None:
    by_signature = [draft for draft in recordings() if "turvo" not in draft.target]

    # One of Samsara's and one of Front's were signed with another key.
    assert len(by_signature) - sum(len(draft.signed) for draft in by_signature) == 2


def test_every_operation_answers_as_it_is_described() -> None:
    part = Part(operations.NAME, SEED)

    operations.run(part, 100, each=2)

    assert part.violations == []
    assert set(part.kinds) >= {"positive", "negative"}
    assert {200, 401, 404, 422} <= set(part.statuses)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"status": 500}, "not an answer of ours"),
        ({"status": 0}, "not an answer of ours"),
        ({"status": 418}, "Undocumented status code"),
        ({"headers": ((b"content-type", b"text/html"),)}, "Undocumented Content-Type"),
        ({"status": 200, "body": b"{}"}, "answered without a key"),
        ({"status": 200, "body": b"{}"}, "Schema-violating request accepted"),
        (
            {"status": 200, "headers": ((b"content-type", b"application/json"),), "body": b'{"seq": "?"}'},
            "Response violates schema",
        ),
    ],
)
def test_an_answer_that_breaks_the_description_is_noticed(
    monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], expected: str
) -> None:
    async def answered_wrongly(app: ASGIApp, request: Request) -> Answer:
        return replace(await answered(app, request), **wrong)

    monkeypatch.setattr(operations, "answered", answered_wrongly)
    part = Part(operations.NAME, SEED)

    [only] = [
        number
        for number, (operation, mode) in enumerate(operations.rounds())
        if operation.label == "POST /v1/search" and mode.is_negative
    ]
    operations.run(part, 1, each=25, only=only)

    assert expected in kinds(part)
