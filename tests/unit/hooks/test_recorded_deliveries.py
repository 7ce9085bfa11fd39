"""The recorded deliveries of each source, against the verdict that stands beside them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from tests.unit.hooks.senders import verdict

from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification.registry import scheme_named

PAYLOADS = Path(__file__).parents[2] / "data" / "payloads"
LIVE = UUID(int=7)
REFUSED = "reject_401"


class Recorded(NamedTuple):
    label: str
    scheme: str
    secret: str
    now: datetime
    delivery: Delivery
    entry: dict[str, Any]

    @property
    def secrets(self) -> list[HookSecret]:
        return [HookSecret(secret_id=LIVE, text=self.secret)]


def recorded() -> list[Recorded]:
    return [
        Recorded(
            f"{source}-{number}-{entry['expect']}",
            *scheme_and_secret(source, whole, entry),
            clock_of(whole),
            Delivery(
                headers={name.lower(): value for name, value in entry["headers"].items()},
                body=(PAYLOADS / source / entry["body_file"]).read_bytes(),
            ),
            entry,
        )
        for source in ("samsara", "frontapp", "turvo")
        for whole in [json.loads((PAYLOADS / source / "deliveries.json").read_bytes())]
        for number, entry in enumerate(whole["deliveries"])
    ]


def scheme_and_secret(source: str, whole: dict[str, Any], entry: dict[str, Any]) -> tuple[str, str]:
    if source == "samsara":
        return "samsara", whole["secret_base64"]
    if source == "turvo":
        return "token", whole["bearer_token"]
    if entry["kind"] == "rule":
        return "front_rule", whole["rule_api_secret"]
    return "front_application", whole["app_signing_key"]


def clock_of(whole: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(whole.get("clock_unix") or whole.get("clock_unix_ms", 0) / 1000, UTC)


ALL = recorded()
each = pytest.mark.parametrize("case", ALL, ids=lambda case: case.label)


@each
def test_a_recorded_delivery_gets_the_verdict_that_stands_beside_it(case: Recorded) -> None:
    found = verdict(scheme_named(case.scheme), case.delivery, case.secrets, now=case.now)

    assert (found == LIVE) == (case.entry["expect"] != REFUSED)


@each
def test_a_recorded_delivery_is_answered_with_its_challenge_if_it_has_one(case: Recorded) -> None:
    wanted = case.entry.get("response", {}).get("json", {}).get("challenge")

    assert scheme_named(case.scheme).challenge(case.delivery) == wanted


def test_of_each_kind_some_are_let_in_and_some_refused() -> None:
    kinds = {(case.scheme, case.entry["expect"] == REFUSED) for case in ALL}

    assert kinds == {
        ("samsara", False),
        ("samsara", True),
        ("front_application", False),
        ("front_application", True),
        ("front_rule", False),
        ("token", False),
        ("token", True),
    }


def test_the_two_that_are_late_were_in_time_once() -> None:
    late = [case for case in ALL if "300 s" in refusal_of(case)]

    assert [case.label for case in late] == ["samsara-3-reject_401", "frontapp-5-reject_401"]
    for case in late:
        then = datetime.fromtimestamp(case.now.timestamp() - 1, UTC)
        assert scheme_named(case.scheme).verify(case.delivery, case.secrets, now=then) == LIVE


def refusal_of(case: Recorded) -> str:
    return str(verdict(scheme_named(case.scheme), case.delivery, case.secrets, now=case.now))


def test_a_front_rule_cannot_speak_for_a_front_application() -> None:
    case = next(case for case in ALL if case.scheme == "front_rule")
    application = scheme_named("front_application")

    assert verdict(application, case.delivery, case.secrets, now=case.now) == "its timestamp is missing"


#: Header of the signature, and of the time with how many of its units make a second.
SIGNED_IN = {
    "samsara": ("x-samsara-signature", "x-samsara-timestamp", 1),
    "front_application": ("x-front-signature", "x-front-request-timestamp", 1000),
    "front_rule": ("x-front-signature", None, 1),
    "token": ("authorization", None, 1),
}
GENUINE = [case for case in ALL if case.entry["expect"] != REFUSED]


@pytest.mark.parametrize("case", GENUINE, ids=lambda case: case.label)
def test_what_we_sign_is_what_the_vendor_sent(case: Recorded) -> None:
    header, timestamp, per_s = SIGNED_IN[case.scheme]
    headers = case.delivery.headers
    at = datetime.fromtimestamp(int(headers[timestamp]) / per_s, UTC) if timestamp else case.now

    signed = scheme_named(case.scheme).sign(case.delivery.body, case.secrets[0], now=at)

    assert set(signed) == {header} | ({timestamp} if timestamp else set())
    assert {name: headers[name] for name in signed} == dict(signed)


def test_a_recording_of_each_scheme_that_a_vendor_has_is_signed_again() -> None:
    assert {case.scheme for case in GENUINE} == set(SIGNED_IN)
