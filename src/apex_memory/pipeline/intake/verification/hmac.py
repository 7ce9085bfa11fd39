"""A sender's rule in, a scheme out; then its deliveries in, the secret they were signed with out."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast
from uuid import UUID, uuid4

import orjson

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, HmacRule, HookSecret
from apex_memory.pipeline.intake.verification._challenge import echoed
from apex_memory.pipeline.intake.verification._headers import check_time, id_of, text_of
from apex_memory.pipeline.intake.verification._signatures import (
    in_base64,
    key_in,
    mac,
    secret_behind,
    text_key,
)

GITHUB: Final = HmacRule(header="x-hub-signature-256", prefix="sha256=")
STRIPE: Final = HmacRule(header="stripe-signature", fields=("t", "v1"), template="{timestamp}.{body}")
SLACK: Final = HmacRule(
    header="x-slack-signature",
    prefix="v0=",
    template="v0:{timestamp}:{body}",
    timestamp_header="x-slack-request-timestamp",
)

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_PARTS: Final = {"body", "timestamp", "id"}


def hmac_scheme(rule: HmacRule) -> "Hmac":
    """Timestamps are Unix seconds; the key is the secret's text as it is shown.

    Raises:
        DeliveryRefused: a rule under which a delivery could not prove itself, or not its body or its time.
    """
    flaw = _flaw(rule, _PLACE.findall(rule.template))
    if flaw:
        raise DeliveryRefused(f"its endpoint's rule {flaw}")
    return Hmac(rule)


class Hmac:
    """What `hmac_scheme` makes of a sound rule."""

    name = "hmac"
    signed = True

    def __init__(self, rule: HmacRule) -> None:
        self._rule = rule
        #: Literal text and names of parts in turn; the first is a literal.
        self._pieces = _PLACE.split(rule.template)

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:
        rule = self._rule
        stated, claims = self._stated_and_claims(delivery)
        parts = {"body": delivery.body}
        if stated is not None:
            check_time(stated, now=now, tolerance_s=rule.tolerance_s)
            parts["timestamp"] = stated.encode()
        if rule.id_header is not None:
            parts["id"] = id_of(delivery, rule.id_header.lower()).encode()
        return secret_behind(claims, secrets, key_of=text_key, sign=lambda key: self._signature(key, parts))

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:
        rule, stated, message_id = self._rule, f"{int(now.timestamp())}", f"msg_{uuid4().hex}"
        parts = {"body": body, "timestamp": stated.encode(), "id": message_id.encode()}
        signature = self._signature(key_in(secret, text_key), parts)
        if rule.fields is not None:
            of_time, of_signature = rule.fields
            signature = f"{of_time}={stated},{of_signature}={signature}"
        headers = {rule.header: signature}
        if rule.timestamp_header is not None:
            headers[rule.timestamp_header] = stated
        if rule.id_header is not None:
            headers[rule.id_header] = message_id
        return {name.lower(): value for name, value in headers.items()}

    def challenge(self, delivery: Delivery) -> str | None:
        """The word that Slack sends when the URL is entered, and wants back."""
        if self._rule.header.lower() != SLACK.header:
            return None
        said = _said(delivery.body)
        if said.get("type") != "url_verification" or "challenge" not in said:
            return None
        return echoed(said["challenge"])

    def _signature(self, key: bytes, parts: Mapping[str, bytes]) -> str:
        signed = [parts[p] if at % 2 else p.encode() for at, p in enumerate(self._pieces)]
        return self._rule.prefix + _spelt(mac(key, *signed, algorithm=self._rule.hash), self._rule)

    def _stated_and_claims(self, delivery: Delivery) -> tuple[str | None, list[str]]:
        """The timestamp, if the rule has one, and the signatures."""
        rule = self._rule
        signature = text_of(delivery, rule.header.lower(), what="signature")
        if rule.fields is not None:
            return _listed(signature, *rule.fields)
        if rule.timestamp_header is not None:
            return text_of(delivery, rule.timestamp_header.lower(), what="timestamp"), [signature]
        return None, [signature]


def _listed(text: str, timestamp: str, signature: str) -> tuple[str, list[str]]:
    """The one timestamp and all signatures of a list such as `t=…,v1=…,v1=…`."""
    entries = [entry.lstrip(" ").partition("=") for entry in text.split(",")]
    if not all(equals for _, equals, _ in entries):
        raise DeliveryRefused("its signature is not a list of names and values")
    stated = [value for name, _, value in entries if name == timestamp]
    claims = [value for name, _, value in entries if name == signature]
    if not stated:
        raise DeliveryRefused("its timestamp is missing")
    if len(stated) > 1:
        raise DeliveryRefused("its signature has more than one timestamp")
    if not claims:
        raise DeliveryRefused("its signature is of no version that is known")
    return stated[0], claims


def _spelt(digest: bytes, rule: HmacRule) -> str:
    return digest.hex() if rule.encoding == "hex" else in_base64(digest)


def _said(body: bytes) -> Mapping[str, object]:
    """Of what is no JSON object, nothing."""
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("Mapping[str, object]", parsed) if isinstance(parsed, dict) else {}


def _flaw(rule: HmacRule, named: Sequence[str]) -> str | None:
    """What is wrong with a rule of which nothing but its types was checked."""
    sources = [source for source in (rule.fields, rule.timestamp_header) if source is not None]
    faults = {
        "is not in ASCII": not (rule.prefix + rule.template).isascii(),
        "signs a part that there is not": not _PARTS.issuperset(named),
        "signs a part twice": len(set(named)) < len(named),
        "leaves the body unsigned": "body" not in named,
        "has two timestamps": len(sources) > 1,
        "has a timestamp and leaves it unsigned": bool(sources) and "timestamp" not in named,
        "signs a timestamp and does not say where it is": not sources and "timestamp" in named,
        "has an id and leaves it unsigned": rule.id_header is not None and "id" not in named,
        "signs an id and does not say where it is": rule.id_header is None and "id" in named,
        "calls timestamp and signature by one name": rule.fields is not None and len(set(rule.fields)) == 1,
    }
    return next((flaw for flaw, found in faults.items() if found), None)
