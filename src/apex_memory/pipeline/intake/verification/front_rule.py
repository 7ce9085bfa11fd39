"""Deliveries of a Front rule in, the API secret they were made with out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification._challenge import Unasked
from apex_memory.pipeline.intake.verification._headers import text_of
from apex_memory.pipeline.intake.verification._signatures import (
    in_base64,
    key_in,
    mac,
    secret_behind,
    text_key,
)


class FrontRule(Unasked):
    """Base64 of HMAC-SHA1 over the body; the key is the text as it is shown.

    There is no timestamp: only the dedupe key stands against a delivery that is sent again by another.
    SHA-1 is what Front signs with, and is not broken inside an HMAC.
    """

    name = "front_rule"
    signed = True

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:  # noqa: ARG002 - the port's
        signature = text_of(delivery, "x-front-signature", what="signature")
        return secret_behind(
            [signature],
            secrets,
            key_of=text_key,
            sign=lambda key: _signature(key, delivery.body),
        )

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 - the port's
        return {"x-front-signature": _signature(key_in(secret, text_key), body)}


def _signature(key: bytes, body: bytes) -> str:
    return in_base64(mac(key, body, algorithm="sha1"))
