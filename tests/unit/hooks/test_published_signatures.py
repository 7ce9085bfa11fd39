"""Deliveries that their senders published as examples, and one that openssl signed."""

import re
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import pytest
from tests.unit.hooks.senders import NOW, verdict

from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification.hmac import GITHUB, SLACK, STRIPE, hmac_scheme
from apex_memory.pipeline.intake.verification.registry import scheme_named
from apex_memory.ports.hooks import Scheme

LIVE = UUID(int=7)


class Example(NamedTuple):
    name: str
    scheme: Scheme
    secret: str
    headers: dict[str, str]
    body: bytes
    now: datetime = NOW


EXAMPLES = (
    # The reference libraries' own test, and the one on Svix's page about verification by hand.
    Example(
        "standard",
        scheme_named("standard"),
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        b'{"test": 2432232314}',
        datetime.fromtimestamp(1_614_265_330, UTC),
    ),
    # docs.github.com, "Validating webhook deliveries".
    Example(
        "github",
        hmac_scheme(GITHUB),
        "It's a Secret to Everybody",
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        b"Hello, World!",
    ),
    # docs.slack.dev, "Verifying requests from Slack".
    Example(
        "slack",
        hmac_scheme(SLACK),
        "8f742231b10e8888abcd99yyyzzz85a5",
        {
            "x-slack-request-timestamp": "1531420618",
            "x-slack-signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
        },
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        datetime.fromtimestamp(1_531_420_618, UTC),
    ),
    # Stripe publishes no secret with its example. This one is
    # printf '1492774577.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test_secret
    Example(
        "stripe",
        hmac_scheme(STRIPE),
        "whsec_test_secret",
        {
            "stripe-signature": "t=1492774577,v0=6ffbb59b2300aae63f27,"
            "v1=799c4ba7bb339f3c8601adfd112f0e477c930a268be1243d341abb8286501c2f"
        },
        b'{"id":"evt_1"}',
        datetime.fromtimestamp(1_492_774_577, UTC),
    ),
)
each = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)


@each
def test_a_published_example_is_genuine(example: Example) -> None:
    assert example_verdict(example, example.body) == LIVE


@each
def test_a_published_example_with_another_body_is_not(example: Example) -> None:
    changed = example_verdict(example, example.body + b" ")

    assert changed == "its signature matches none of its endpoint's live secrets"


def example_verdict(example: Example, body: bytes) -> UUID | str:
    secrets = [HookSecret(secret_id=LIVE, text=example.secret)]
    return verdict(example.scheme, Delivery(headers=example.headers, body=body), secrets, now=example.now)


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.name != "standard"], ids=lambda e: e.name)
def test_what_we_sign_is_what_was_published(example: Example) -> None:
    secret = HookSecret(secret_id=LIVE, text=example.secret)

    signed = dict(example.scheme.sign(example.body, secret, now=example.now))

    # Stripe's list also has a signature of a version that nobody checks.
    published = {name: re.sub(r"v0=[0-9a-f]{20},", "", value) for name, value in example.headers.items()}
    assert signed == published


def test_what_we_sign_by_the_standard_is_under_an_id_of_its_own_and_genuine() -> None:
    example = EXAMPLES[0]
    secret = HookSecret(secret_id=LIVE, text=example.secret)

    one, other = [example.scheme.sign(example.body, secret, now=example.now) for _ in range(2)]

    delivery = Delivery(headers=one, body=example.body)
    assert verdict(example.scheme, delivery, [secret], now=example.now) == LIVE
    assert one["webhook-id"] != other["webhook-id"]
