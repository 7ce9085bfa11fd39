"""What is more than is taken from one sender: refused with the time to come back, and nobody else's loss."""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import pytest
from tests.unit.api.test_hooks import ALERT, deliver, made, path
from tests.unit.api.world import SHIPMENT, World, opened, problem

from apex_memory.pipeline.intake.allowance import Allowances

AT_ONCE = 4


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def narrow(clock: Clock) -> AsyncGenerator[World, None]:
    """Two a second for each sender, and so four at once."""
    async with opened(allowances=Allowances.of(2, clock=clock)) as world:
        yield world


async def send_record(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1/records", json={"source": "turvo", "record": SHIPMENT})


async def send_document(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/v1/documents", files={"file": ("note.txt", b"text", "text/plain")})


def assert_spent(answer: httpx.Response, policy: str, *, window: str = "q=4;w=2") -> dict[str, Any]:
    document = problem(answer, 429)
    assert document["type"] == "https://iana.org/assignments/http-problem-types#quota-exceeded"
    assert document["violated-policies"] == [policy]
    assert answer.headers["ratelimit-policy"] == f'"{policy}";{window}'
    return document


async def test_more_than_a_tenants_share_is_429_and_says_when_to_come_back(
    narrow: World, clock: Clock
) -> None:
    answers = [await send(narrow.alice) for send in (send_record, send_document) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202] * AT_ONCE + [429] * 2
    assert_spent(answers[-1], "tenant")
    assert answers[-1].headers["ratelimit"] == '"tenant";r=0;t=1'
    clock.now += int(answers[-1].headers["retry-after"])
    assert (await send_record(narrow.alice)).status_code == 202


async def test_one_tenants_flood_is_not_anothers(narrow: World) -> None:
    for _ in range(2 * AT_ONCE):
        await send_record(narrow.alice)

    assert (await send_record(narrow.bob)).status_code == 202


async def test_reading_and_asking_how_it_fares_are_not_counted(narrow: World) -> None:
    status = (await send_record(narrow.alice)).json()["status_url"]

    answers = [await narrow.alice.get(status) for _ in range(3 * AT_ONCE)]

    assert {answer.status_code for answer in answers} == {200}


async def test_what_is_refused_for_its_key_counts_for_nobody(narrow: World) -> None:
    for _ in range(2 * AT_ONCE):
        problem(await send_record(narrow.anonymous), 401)

    assert (await send_record(narrow.alice)).status_code == 202


async def test_of_what_is_too_much_no_body_is_read(narrow: World) -> None:
    for _ in range(AT_ONCE):
        await send_record(narrow.alice)

    answer = await narrow.alice.post("/v1/records", content=b"no JSON")

    assert_spent(answer, "tenant")


async def test_an_endpoint_has_a_share_of_its_own(narrow: World, clock: Clock) -> None:
    one, other = [await made(narrow.alice) for _ in range(2)]

    answers = [await deliver(narrow, one) for _ in range(AT_ONCE + 1)]

    assert [answer.status_code for answer in answers] == [202, *[200] * (AT_ONCE - 1), 429]
    assert_spent(answers[-1], "endpoint")
    assert (await deliver(narrow, other)).status_code == 200
    assert (await send_record(narrow.alice)).status_code == 202
    clock.now += 1
    assert (await deliver(narrow, one)).status_code == 200


async def test_deliveries_that_prove_nothing_are_429_in_the_end_and_the_senders_own_still_get_in(
    narrow: World,
) -> None:
    endpoint = await made(narrow.alice)

    forged = [await narrow.anonymous.post(path(endpoint), content=ALERT) for _ in range(3 * AT_ONCE)]

    assert [answer.status_code for answer in forged] == [401, *[429] * (3 * AT_ONCE - 1)]
    assert_spent(forged[-1], "refused", window="q=1;w=50")
    assert forged[-1].headers["retry-after"] == "50"
    assert (await deliver(narrow, endpoint)).status_code == 202
