"""A seed in, requests to every operation by the OpenAPI document, and which answers break it, out."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import count
from random import Random
from typing import Any
from urllib.parse import urlsplit

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode, Response
from schemathesis.checks import CHECKS, load_all_checks  # pyright: ignore[reportUnknownVariableType]
from schemathesis.config import (
    ChecksConfig,
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.config._checks import NegativeDataRejectionConfig
from schemathesis.core.failures import FailureGroup
from structlog.processors import format_exc_info
from structlog.testing import capture_logs
from tests.fuzz.known import AnyCase, Known, application, filled
from tests.fuzz.report import Part
from tests.fuzz.spoiling import BYTES, JSONS
from tests.fuzz.wire import Answer, Request, answered
from tests.unit.api.fakes import ALICE, BOB, KEYS

NAME = "operations"
#: So many of one operation, in one mode, are sent to one application.
EACH = 60
#: Schemathesis' own. Server errors are looked for here, with what caused them. Not among them:
#: positive_data_acceptance: a description does not say which ids there are, nor what a rule must mean.
#: ignored_auth, unsupported_method, use_after_free and the like: they send requests of their own, through
#: another client. What is answered without a key is looked for here.
_CHECKS = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)
#: It reads server-sent events as OpenAPI 3.2 does, one by one; in 3.1 their schema is that of the whole text.
_STREAM = "text/event-stream"
#: What is too large is refused before it is read, and so is what comes to an endpoint that is closed.
_REFUSALS = ["400", "401", "404", "409", "410", "413", "415", "422", "429"]
_UNHURRIED = [
    HealthCheck.too_slow,
    HealthCheck.filter_too_much,
    HealthCheck.data_too_large,
    HealthCheck.large_base_example,
]
_KEYS: tuple[dict[str, str], ...] = (
    *({"Authorization": f"Bearer {KEYS[ALICE]}"},) * 14, {"X-Api-Key": KEYS[ALICE]}, {"X-Api-Key": KEYS[BOB]},
    {}, {"Authorization": "Bearer nobody"}, {"Authorization": "Basic a2V5"}, {"X-Api-Key": "k" * 5000},
    {"Authorization": f"bearer  {KEYS[ALICE]}"}, {"X-Api-Key": "ü"}, {"Authorization": "Bearer"},
)  # fmt: skip


@dataclass(frozen=True)
class _Sent:
    """A case as it is sent. guarded: it needs a key. spoilt: on the way; no longer what the case says."""

    case: Any
    prepared: requests.PreparedRequest
    request: Request
    guarded: bool
    spoilt: bool


def run(part: Part, wanted: int, *, each: int = EACH, only: int | None = None) -> None:
    """Round after round of `each` requests until there are `wanted`; or only the round of that number."""
    part.options = f" --each {each}"
    for number in count() if only is None else [only]:
        if part.requests >= wanted:
            return
        asyncio.run(_round(part, number, each))


async def _round(part: Part, number: int, each: int) -> None:
    operation, mode = rounds()[number % len(rounds())]
    rng = Random(f"{part.seed}/{number}")
    with capture_logs(processors=[format_exc_info]) as log:
        async with filled() as known:
            for sent in _sents(_generated(operation, mode, rng, each), known, rng):
                log.clear()
                answer = await answered(application(), sent.request)
                broken = next((entry["exception"] for entry in log if "exception" in entry), "")
                part.count(answer.status, "spoilt" if sent.spoilt else mode.value)
                for kind, story in _violations(sent, answer, broken):
                    told = f"{operation.label}: {story}"
                    part.violated(kind, number=number, request=sent.request, story=told)


@cache
def rounds() -> list[tuple[Any, GenerationMode]]:
    """Every operation, with what its description allows and with what it does not."""
    refused = NegativeDataRejectionConfig(expected_statuses=_REFUSALS)
    project = ProjectConfig(
        generation=GenerationConfig(with_security_parameters=False),
        checks=ChecksConfig(negative_data_rejection=refused),
    )
    config = SchemathesisConfig(projects=ProjectsConfig(default=project))
    load_all_checks()
    schema: Any = schemathesis.openapi.from_dict(application().openapi(), config=config)
    operations = [result.ok() for result in schema.get_all_operations()]
    return [
        (operation, mode)
        for operation in operations
        for mode in GenerationMode
        if mode.is_positive or _can_be_wrong(operation.definition.raw)
    ]


def _can_be_wrong(operation: dict[str, Any]) -> bool:
    """Not so if all that it takes is any text at all: Hypothesis would look for a wrong one for seconds."""
    parameters = [
        p["in"] != "path" or len(p["schema"].keys() - {"title"}) > 1 for p in operation.get("parameters", ())
    ]
    contents = operation.get("requestBody", {"content": {}})["content"].values()
    return any(parameters) or any("schema" in content for content in contents)


def _generated(operation: Any, mode: GenerationMode, rng: Random, each: int) -> list[AnyCase]:
    """At most so many: of some operations there are fewer."""
    cases: list[AnyCase] = []

    @seed(rng.getrandbits(64))
    @settings(
        max_examples=each,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=_UNHURRIED,
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def collect(case: AnyCase) -> None:
        cases.append(case)

    collect()
    return cases


def _sents(cases: list[AnyCase], known: Known, rng: Random) -> Iterator[_Sent]:
    for case in cases:
        known.name(case, rng)
        told = case.as_transport_kwargs(base_url="http://apex", headers=rng.choice(_KEYS))
        prepared = requests.Request(
            **{name: value for name, value in told.items() if name not in {"timeout", "verify"}}
        ).prepare()
        request = _wired(prepared)
        spoilt = bool(request.body) and rng.random() < 0.1
        if spoilt:
            body = rng.choice((*BYTES, *JSONS))(rng, request.body)
            headers = [pair for pair in request.headers if pair[0].lower() != b"content-length"]
            request = Request(request.method, request.target, tuple(headers), body)
        guarded = bool(case.operation.definition.raw.get("security"))
        yield _Sent(case, prepared, request, guarded=guarded, spoilt=spoilt)


def _wired(prepared: requests.PreparedRequest) -> Request:
    url = urlsplit(str(prepared.url))
    body: Any = prepared.body or b""
    return Request(
        method=str(prepared.method),
        target=url.path + (f"?{url.query}" if url.query else ""),
        headers=tuple((_latin(name), _latin(value)) for name, value in prepared.headers.items()),
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def _latin(text: str | bytes) -> bytes:
    return text.encode("latin-1", "replace") if isinstance(text, str) else text


def _violations(sent: _Sent, answer: Answer, broken: str) -> Iterator[tuple[str, str]]:
    if broken or answer.status >= 500 or answer.status < 200:
        yield "not an answer of ours", f"status {answer.status}: {answer.body[:300]!r}\n{broken}"
        return
    if answer.status < 300 and sent.guarded and not _has_key(sent.request):
        yield "answered without a key", f"status {answer.status}: {answer.body[:300]!r}"
    headers: dict[str, list[str]] = {}
    for name, value in answer.headers:
        headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    response = Response(answer.status, headers, answer.body, sent.prepared, elapsed=0.0, verify=False)
    left_out = {"negative_data_rejection"} if sent.spoilt else set[str]()
    if answer.header("content-type").startswith(_STREAM):
        left_out.add("response_schema_conformance")
    try:
        sent.case.validate_response(
            response, checks=[CHECKS.get_one(name) for name in _CHECKS if name not in left_out]
        )
    except FailureGroup as failures:
        for failure in failures.exceptions:
            yield failure.title, f"status {answer.status}: {failure}"


def _has_key(request: Request) -> bool:
    shown = [*request.values("authorization"), *request.values("x-api-key")]
    return any(value.split(" ")[-1] in KEYS.values() for value in shown)
