"""A secret and a body in, what its sender would send out: signed here, without a line of the product's."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, HmacRule, HookSecret
from apex_memory.pipeline.intake.verification.hmac import GITHUB, SLACK, STRIPE, hmac_scheme
from apex_memory.pipeline.intake.verification.registry import scheme_named
from apex_memory.ports.hooks import Scheme

SECONDS = 1_795_010_700
NOW = datetime.fromtimestamp(SECONDS, UTC)
#: All that a rule can say, but for a list.
ODD = HmacRule(
    header="X-Odd-Signature",
    prefix="s=",
    hash="sha512",
    encoding="base64",
    template="<{timestamp}|{id}|{body}>",
    timestamp_header="X-Odd-Time",
    id_header="X-Odd-Id",
    tolerance_s=60,
)


class Sender(NamedTuple):
    """`headers_for` takes secret, body and Unix seconds. A change to a header of `proof` must be noticed."""

    name: str
    scheme: Scheme
    headers_for: Callable[[str, bytes, int], dict[str, str]]
    proof: Sequence[str]
    tolerance_s: int | None = None
    signed: bool = True

    def delivery(self, secret: str, body: bytes = b'{"a": 1}', *, at: int = SECONDS) -> Delivery:
        return Delivery(headers=self.headers_for(secret, body, at), body=body)


def secret_of(key: bytes) -> HookSecret:
    """In base64, which is also a secret for those who take the text as it is."""
    text = base64.b64encode(key).decode()
    return HookSecret(secret_id=uuid5(UUID(int=0), text), text=text)


def verdict(
    scheme: Scheme, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime = NOW
) -> UUID | str:
    """The id of the secret, or why there is none."""
    try:
        return scheme.verify(delivery, secrets, now=now)
    except DeliveryRefused as refusal:
        return refusal.problem


def samsara(secret: str, body: bytes, at: int) -> dict[str, str]:
    made = hmac.new(base64.b64decode(secret), b"v1:%d:%s" % (at, body), hashlib.sha256)
    return {"x-samsara-timestamp": f"{at}", "x-samsara-signature": f"v1={made.hexdigest()}"}


def front_application(secret: str, body: bytes, at: int) -> dict[str, str]:
    made = hmac.digest(secret.encode(), b"%d000:%s" % (at, body), "sha256")
    return {
        "x-front-request-timestamp": f"{at}000",
        "x-front-signature": base64.b64encode(made).decode(),
    }


def front_rule(secret: str, body: bytes, _at: int) -> dict[str, str]:
    return {"x-front-signature": base64.b64encode(hmac.digest(secret.encode(), body, "sha1")).decode()}


def token(secret: str, _body: bytes, _at: int) -> dict[str, str]:
    return {"x-api-key": secret}


def standard(secret: str, body: bytes, at: int, *, family: str = "webhook") -> dict[str, str]:
    made = hmac.digest(base64.b64decode(secret), b"msg_1.%d.%s" % (at, body), "sha256")
    return {
        f"{family}-id": "msg_1",
        f"{family}-timestamp": f"{at}",
        f"{family}-signature": f"v1,{base64.b64encode(made).decode()}",
    }


def svix(secret: str, body: bytes, at: int) -> dict[str, str]:
    return standard(secret, body, at, family="svix")


def github(secret: str, body: bytes, _at: int) -> dict[str, str]:
    return {"x-hub-signature-256": "sha256=" + hmac.digest(secret.encode(), body, "sha256").hex()}


def stripe(secret: str, body: bytes, at: int) -> dict[str, str]:
    made = hmac.digest(secret.encode(), b"%d.%s" % (at, body), "sha256")
    return {"stripe-signature": f"t={at},v1={made.hex()}"}


def slack(secret: str, body: bytes, at: int) -> dict[str, str]:
    made = hmac.digest(secret.encode(), b"v0:%d:%s" % (at, body), "sha256")
    return {"x-slack-request-timestamp": f"{at}", "x-slack-signature": f"v0={made.hex()}"}


def odd(secret: str, body: bytes, at: int) -> dict[str, str]:
    made = hmac.digest(secret.encode(), b"<%d|7|%s>" % (at, body), "sha512")
    return {
        "x-odd-time": f"{at}",
        "x-odd-id": "7",
        "x-odd-signature": f"s={base64.b64encode(made).decode()}",
    }


SENDERS = (
    Sender("samsara", scheme_named("samsara"), samsara, ("x-samsara-timestamp", "x-samsara-signature"), 300),
    Sender(
        "front_application",
        scheme_named("front_application"),
        front_application,
        ("x-front-request-timestamp", "x-front-signature"),
        300,
    ),
    Sender("front_rule", scheme_named("front_rule"), front_rule, ("x-front-signature",)),
    Sender("token", scheme_named("token"), token, ("x-api-key",), signed=False),
    Sender(
        "standard",
        scheme_named("standard"),
        standard,
        ("webhook-id", "webhook-timestamp", "webhook-signature"),
        300,
    ),
    Sender("svix", scheme_named("standard"), svix, ("svix-id", "svix-timestamp", "svix-signature"), 300),
    Sender("github", hmac_scheme(GITHUB), github, ("x-hub-signature-256",)),
    Sender("stripe", hmac_scheme(STRIPE), stripe, ("stripe-signature",), 300),
    Sender("slack", hmac_scheme(SLACK), slack, ("x-slack-request-timestamp", "x-slack-signature"), 300),
    Sender("odd", hmac_scheme(ODD), odd, ("x-odd-time", "x-odd-id", "x-odd-signature"), 60),
)
