"""Sources' own APIs over HTTP, against a local server that speaks like them and fails like them."""

import asyncio
import email.utils
import json
import time
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx
import pytest
from structlog.testing import capture_logs
from tests.contracts.connections_contract import TURVO
from tests.doubles import sources
from tests.doubles.sources import API_KEY, LOGIN, TOKEN, Answer, SourcesDouble

from apex_memory.domain.connections import BearerCredentials, TurvoCredentials
from apex_memory.domain.errors import (
    AnswerTooLarge,
    ItemNotFound,
    NotConnected,
    RateLimited,
    SettingMissing,
    SourceRefused,
    SourceUnavailable,
)
from apex_memory.pipeline.intake.accounts import bases_with
from apex_memory.pipeline.intake.answers import LONGEST_WAIT_S, MAX_BYTES, retry_after_s
from apex_memory.pipeline.intake.source_api import HttpSourceApi, open_source_api
from apex_memory.testing import MemoryConnections

ALICE, BOB = "alice-ltd", "bob-inc"
MESSAGE = "/messages/msg_1"
SHIPMENT = "/shipments/7"
ACCOUNT = TurvoCredentials(
    username=LOGIN[0], password=LOGIN[1], client_id="publicapi", client_secret="a secret", api_key=API_KEY
)


@pytest.fixture
async def double() -> AsyncGenerator[SourcesDouble, None]:
    async with sources.sources_double() as double:
        double.messages["msg_1"] = {"id": "msg_1"}
        double.shipments["7"] = {"Status": "SUCCESS", "details": {"id": 7}}
        yield double


@pytest.fixture
async def connections(double: SourcesDouble) -> MemoryConnections:
    """Alice has an account everywhere, Bob nowhere."""
    connections = MemoryConnections()
    for source in ("frontapp", "samsara"):
        credentials = BearerCredentials(token=TOKEN)
        await connections.put(ALICE, source, base_url=double.base_url, credentials=credentials)
    await connections.put(ALICE, "turvo", base_url=double.base_url, credentials=ACCOUNT)
    return connections


def listed(double: SourcesDouble) -> str:
    return ",".join(f"{source}={double.base_url}" for source in ("frontapp", "samsara", "turvo"))


@pytest.fixture
async def api(double: SourcesDouble, connections: MemoryConnections) -> AsyncGenerator[HttpSourceApi, None]:
    async with open_source_api(connections, bases_with(listed(double))) as api:
        yield api


async def test_an_object_is_fetched_with_the_tenants_token(api: HttpSourceApi, double: SourcesDouble) -> None:
    answer = await api.get(ALICE, "frontapp", MESSAGE)

    [call] = double.calls
    assert answer == {"id": "msg_1"}
    assert (call.method, call.path, call.authorization) == ("GET", MESSAGE, f"Bearer {TOKEN}")


async def test_a_feed_is_read_page_by_page(api: HttpSourceApi, double: SourcesDouble) -> None:
    double.pages = [[{"id": "1"}], [{"id": "2"}]]
    path, query = "/fleet/vehicles/stats/feed", {"types": "gps"}

    first = await api.get(ALICE, "samsara", path, query)
    second = await api.get(ALICE, "samsara", path, {**query, "after": "1"})
    nothing = await api.get(ALICE, "samsara", path, {**query, "after": "2"})

    assert first == {"data": [{"id": "1"}], "pagination": {"endCursor": "1", "hasNextPage": True}}
    assert second == {"data": [{"id": "2"}], "pagination": {"endCursor": "2", "hasNextPage": False}}
    assert nothing == {"data": [], "pagination": {"endCursor": "2", "hasNextPage": False}}
    assert double.calls[1].query == {"types": "gps", "after": "1"}


async def test_without_credentials_nobody_is_asked(api: HttpSourceApi, double: SourcesDouble) -> None:
    with pytest.raises(NotConnected, match="apex connections set frontapp"):
        await api.get(BOB, "frontapp", MESSAGE)

    assert double.calls == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(sources.rate_limited("7"), RateLimited, id="limited"),
        pytest.param(sources.status(500), SourceUnavailable, id="500"),
        pytest.param(sources.status(503), SourceUnavailable, id="503"),
        pytest.param(sources.status(408), SourceUnavailable, id="408"),
        pytest.param(sources.dropped(), SourceUnavailable, id="dropped"),
        pytest.param(sources.body(b"<html>a proxy</html>"), SourceUnavailable, id="page"),
        pytest.param(sources.body(b""), SourceUnavailable, id="empty"),
        pytest.param(sources.body(b"[]"), SourceUnavailable, id="list"),
        pytest.param(sources.body(b'{"id": NaN}'), SourceUnavailable, id="nan"),
        pytest.param(sources.status(204), SourceRefused, id="204"),
        pytest.param(sources.status(400), SourceRefused, id="400"),
        pytest.param(sources.status(401), SourceRefused, id="401"),
        pytest.param(sources.status(403), SourceRefused, id="403"),
        pytest.param(sources.status(404), ItemNotFound, id="404"),
        pytest.param(sources.status(410), ItemNotFound, id="410"),
        pytest.param(sources.endless(), AnswerTooLarge, id="endless"),
        pytest.param(sources.body(b'{"a":' * 70 + b"1" + b"}" * 70), AnswerTooLarge, id="nested"),
    ],
)
async def test_each_failure_is_named_and_nothing_is_tried_twice(
    api: HttpSourceApi, double: SourcesDouble, answer: Answer, error: type[Exception]
) -> None:
    double.plan(answer)

    with pytest.raises(error):
        await api.get(ALICE, "frontapp", MESSAGE)

    assert double.count() == 1
    assert await api.get(ALICE, "frontapp", MESSAGE) == {"id": "msg_1"}


async def test_a_refusal_says_its_status_and_a_limit_its_time(
    api: HttpSourceApi, double: SourcesDouble
) -> None:
    double.plan(sources.status(403), sources.rate_limited("7"))

    with pytest.raises(SourceRefused) as refused:
        await api.get(ALICE, "frontapp", MESSAGE)
    with pytest.raises(RateLimited) as limited:
        await api.get(ALICE, "frontapp", MESSAGE)

    assert (refused.value.status, limited.value.retry_after_s) == (403, 7.0)


async def test_an_answer_may_have_the_limit_and_no_byte_more(
    api: HttpSourceApi, double: SourcesDouble
) -> None:
    body = b'{"a":"' + b"x" * (MAX_BYTES - 8) + b'"}'
    double.plan(sources.body(body), sources.body(body + b" "))

    assert len(str((await api.get(ALICE, "frontapp", MESSAGE))["a"])) == MAX_BYTES - 8
    with pytest.raises(AnswerTooLarge):
        await api.get(ALICE, "frontapp", MESSAGE)


async def test_a_redirect_is_not_followed(api: HttpSourceApi, double: SourcesDouble) -> None:
    double.plan(sources.redirect(f"{double.base_url}/comments/com_1"))

    with pytest.raises(SourceRefused) as caught:
        await api.get(ALICE, "frontapp", MESSAGE)

    assert caught.value.status == 307
    assert double.count() == 1


async def test_who_does_not_answer_in_time_is_unavailable(
    double: SourcesDouble, connections: MemoryConnections
) -> None:
    double.plan(sources.silence())
    async with httpx.AsyncClient() as client:
        api = HttpSourceApi(connections, bases_with(listed(double)), client, deadline_s=0.1)

        with pytest.raises(SourceUnavailable, match=r"no answer within 0\.1 s"):
            await api.get(ALICE, "frontapp", MESSAGE)


async def test_a_port_at_which_nobody_listens_is_unavailable(connections: MemoryConnections) -> None:
    nowhere = "http://127.0.0.1:1"
    await connections.put(ALICE, "frontapp", base_url=nowhere, credentials=BearerCredentials(token="x"))
    async with open_source_api(connections, bases_with(f"frontapp={nowhere}")) as api:
        with pytest.raises(SourceUnavailable):
            await api.get(ALICE, "frontapp", MESSAGE)


@pytest.mark.parametrize(
    "path",
    [
        "messages/msg_1",
        "//evil.example/x",
        "/messages/../me",
        "/messages/.",
        "/messages/msg_1?x=1",
        "/messages/msg_1#x",
        "/messages/%2e%2e",
        "/messages/msg_1\n",
        "/messages/msg 1",
        "/@evil.example/",
        "/" + "x" * 257,
        "/x" * 17,
        "",
    ],
)
async def test_a_path_that_is_none_is_never_asked_for(
    api: HttpSourceApi, double: SourcesDouble, path: str
) -> None:
    with pytest.raises(ItemNotFound):
        await api.get(ALICE, "frontapp", path)

    assert double.calls == []


async def test_a_base_that_the_operator_took_back_is_not_asked(
    double: SourcesDouble, connections: MemoryConnections
) -> None:
    async with open_source_api(connections, bases_with("")) as api:
        with pytest.raises(SettingMissing, match="APEX_SOURCE_API_URLS"):
            await api.get(ALICE, "frontapp", MESSAGE)

    assert double.calls == []


async def test_a_token_of_turvo_serves_until_shortly_before_its_end(
    api: HttpSourceApi, double: SourcesDouble
) -> None:
    for _ in range(3):
        assert await api.get(ALICE, "turvo", SHIPMENT) == double.shipments["7"]

    login, *asked = double.calls
    assert (login.method, login.path, login.query, login.authorization) == ("POST", "/oauth/token", {}, "")
    assert json.loads(login.body) == {
        "grant_type": "password",
        "username": LOGIN[0],
        "password": LOGIN[1],
        "client_id": "publicapi",
        "client_secret": "a secret",
        "scope": "read+trust+write",
        "type": "business",
    }
    assert {call.headers["x-api-key"] for call in double.calls} == {API_KEY}
    assert {call.authorization for call in asked} == {"Bearer turvo-0-1"}
    assert double.count("/oauth") == 1


@pytest.mark.parametrize("expires_in", [60, 0, -5])
async def test_a_token_in_its_last_minute_is_not_used_again(
    api: HttpSourceApi, double: SourcesDouble, expires_in: int
) -> None:
    double.expires_in = expires_in

    await api.get(ALICE, "turvo", SHIPMENT)
    await api.get(ALICE, "turvo", SHIPMENT)

    assert double.count("/oauth") == 2


@pytest.mark.parametrize("expires_in", [None, "soon", True, 1e300])
async def test_an_end_that_is_none_is_no_hindrance(
    api: HttpSourceApi, double: SourcesDouble, expires_in: object
) -> None:
    double.expires_in = expires_in

    await api.get(ALICE, "turvo", SHIPMENT)
    await api.get(ALICE, "turvo", SHIPMENT)

    assert double.count("/shipments") == 2


async def test_after_a_revocation_one_login_serves_all_who_ask(
    api: HttpSourceApi, double: SourcesDouble
) -> None:
    await api.get(ALICE, "turvo", SHIPMENT)
    double.revoke()

    answers = await asyncio.gather(*(api.get(ALICE, "turvo", SHIPMENT) for _ in range(8)))

    assert answers == [double.shipments["7"]] * 8
    assert double.count("/oauth") == 2


async def test_a_token_that_is_refused_twice_is_not_tried_a_third_time(
    api: HttpSourceApi, double: SourcesDouble
) -> None:
    double.plan(*[sources.status(401)] * 3, at="/shipments")

    with pytest.raises(SourceRefused) as caught:
        await api.get(ALICE, "turvo", SHIPMENT)

    assert caught.value.status == 401
    assert (double.count("/oauth"), double.count("/shipments")) == (2, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_login_that_is_refused_is_the_credentials_fault(
    api: HttpSourceApi, double: SourcesDouble, status: int
) -> None:
    double.plan(sources.status(status), at="/oauth")

    with pytest.raises(SourceRefused) as caught:
        await api.get(ALICE, "turvo", SHIPMENT)

    assert caught.value.status == 401
    assert double.count("/shipments") == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(sources.rate_limited("3"), RateLimited, id="limited"),
        pytest.param(sources.status(502), SourceUnavailable, id="502"),
        pytest.param(sources.dropped(), SourceUnavailable, id="dropped"),
        pytest.param(sources.body(b"{}"), SourceUnavailable, id="no-token"),
        pytest.param(sources.body(b'{"access_token": "two\\r\\nlines"}'), SourceUnavailable, id="two-lines"),
        pytest.param(sources.body(b'{"access_token": ""}'), SourceUnavailable, id="blank"),
    ],
)
async def test_a_login_that_fails_for_now_is_tried_later(
    api: HttpSourceApi, double: SourcesDouble, answer: Answer, error: type[Exception]
) -> None:
    double.plan(answer, at="/oauth")

    with pytest.raises(error):
        await api.get(ALICE, "turvo", SHIPMENT)

    assert await api.get(ALICE, "turvo", SHIPMENT) == double.shipments["7"]


async def test_mended_credentials_are_not_served_with_what_the_old_ones_got(
    api: HttpSourceApi, double: SourcesDouble, connections: MemoryConnections
) -> None:
    await api.get(ALICE, "turvo", SHIPMENT)
    double.logins["other@acme.example"] = "another password"
    mended = ACCOUNT.model_copy(update={"username": "other@acme.example", "password": "another password"})
    await connections.put(ALICE, "turvo", base_url=double.base_url, credentials=mended)

    await api.get(ALICE, "turvo", SHIPMENT)

    logins = [json.loads(call.body)["username"] for call in double.calls if call.path == "/oauth/token"]
    assert logins == [LOGIN[0], "other@acme.example"]
    assert double.calls[-1].authorization != double.calls[1].authorization


async def test_two_tenants_with_one_source_never_share_a_token(
    api: HttpSourceApi, double: SourcesDouble, connections: MemoryConnections
) -> None:
    double.tokens.add("bobs-token")
    await connections.put(
        BOB, "frontapp", base_url=double.base_url, credentials=BearerCredentials(token="bobs-token")
    )
    # Even the same account: what one tenant's login got is not the other's.
    await connections.put(BOB, "turvo", base_url=double.base_url, credentials=ACCOUNT)
    double.plan(*[_with_cookie()] * 2, at="/messages")

    for _ in range(2):
        for tenant in (ALICE, BOB):
            await asyncio.gather(api.get(tenant, "frontapp", MESSAGE), api.get(tenant, "turvo", SHIPMENT))

    asked = [call.authorization for call in double.calls if call.path == MESSAGE]
    turvo = [call.authorization for call in double.calls if call.path == SHIPMENT]
    assert asked == [f"Bearer {TOKEN}", "Bearer bobs-token"] * 2
    assert turvo[0] == turvo[2] != turvo[1] == turvo[3]
    assert double.count("/oauth") == 2
    assert not [call for call in double.calls if "cookie" in call.headers]


async def test_neither_errors_nor_log_lines_tell_a_secret_or_a_body(
    api: HttpSourceApi, double: SourcesDouble, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="httpx")
    secrets = [TOKEN, *LOGIN, API_KEY, "a secret", "in plain sight"]
    double.plan(sources.body(b"in plain sight"), sources.dropped(), at="/messages")
    double.plan(sources.body(b"in plain sight"), sources.status(401), at="/oauth")
    said: list[str] = []

    with capture_logs() as logged:
        for source, path in (("frontapp", MESSAGE), ("turvo", SHIPMENT)) * 2:
            with pytest.raises((SourceUnavailable, SourceRefused)) as caught:
                await api.get(ALICE, source, path)
            said += [str(caught.value), repr(caught.value), str(caught.value.__cause__)]

    assert not [secret for secret in secrets for text in (*said, str(logged), caplog.text) if secret in text]
    assert not [secret for secret in TURVO.model_dump().values() if secret in repr(TURVO)]


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, 10),
        ("", 10),
        ("5", 5),
        ("2.5", 2.5),
        ("0", 1),
        ("-3", 1),
        ("999999999", LONGEST_WAIT_S),
        ("nan", 10),
        ("inf", 10),
        ("soon", 10),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 1),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 1),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_WAIT_S),
        ("Wed, 99 Oct 2015 07:28:00 GMT", 10),
    ],
)
def test_what_a_source_says_of_when_to_come_back_is_bounded(value: str | None, seconds: float) -> None:
    assert retry_after_s(value) == seconds


def test_a_date_to_come_back_at_is_so_far_away() -> None:
    at = datetime.fromtimestamp(time.time() + 600, UTC)

    assert 590 < retry_after_s(email.utils.format_datetime(at, usegmt=True)) <= 600


@pytest.mark.parametrize("listed", ["turvo", "turvo=ftp://x", "evil=https://x", "=https://x", "turvo=x,"])
def test_a_malformed_list_of_urls_ends_the_start(listed: str) -> None:
    with pytest.raises(SettingMissing, match="APEX_SOURCE_API_URLS"):
        bases_with(listed)


def test_urls_of_the_operator_come_behind_the_known_ones() -> None:
    bases = bases_with(" turvo=http://127.0.0.1:9/v1/ , turvo=https://turvo.proxy.example,")

    assert list(bases["turvo"]) == [
        "https://publicapi.turvo.com/v1",
        "https://my-sandbox-publicapi.turvo.com/v1",
        "http://127.0.0.1:9/v1",
        "https://turvo.proxy.example",
    ]
    assert list(bases["frontapp"]) == ["https://api2.frontapp.com"]


def _with_cookie() -> Answer:
    async def answer(usual: sources.Response) -> sources.Response:
        usual.set_cookie("session", "whoever-asked-first")
        return usual

    return answer
