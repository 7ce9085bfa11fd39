"""Deliveries of a Front application in, the signing key they were made with out, and its challenge."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification._challenge import echoed
from apex_memory.pipeline.intake.verification._headers import text_of, time_of
from apex_memory.pipeline.intake.verification._signatures import (
    in_base64,
    key_in,
    mac,
    secret_behind,
    text_key,
)

#: Front documents no tolerance; this is what Standard Webhooks, Stripe and Slack allow.
_TOLERANCE_S: Final = 300

_CHALLENGE: Final = "x-front-challenge"


class FrontApplication:
    """Base64 of HMAC-SHA256 over `{milliseconds}:{body}`; the key is the text as it is shown."""

    name = "front_application"
    signed = True

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:
        stated = time_of(
            delivery, "x-front-request-timestamp", now=now, tolerance_s=_TOLERANCE_S, per_s=1000
        ).encode()
        signature = text_of(delivery, "x-front-signature", what="signature")
        return secret_behind(
            [signature],
            secrets,
            key_of=text_key,
            sign=lambda key: _signature(key, stated, delivery.body),
        )

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:
        stated = f"{round(now.timestamp() * 1000)}"
        return {
            "x-front-request-timestamp": stated,
            "x-front-signature": _signature(key_in(secret, text_key), stated.encode(), body),
        }

    def challenge(self, delivery: Delivery) -> str | None:
        """The word that Front sends whenever the webhook is saved, and wants back.

        Raises:
            DeliveryRefused: a test whose word is too long, or of other characters than such words have.
        """
        if _CHALLENGE not in delivery.headers or not _is_sync(delivery.body):
            return None
        # The header is not signed.
        return echoed(text_of(delivery, _CHALLENGE, what="challenge"))


def _signature(key: bytes, stated: bytes, body: bytes) -> str:
    return in_base64(mac(key, stated, b":", body))


def _is_sync(body: bytes) -> bool:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    match said:
        case {"type": "sync"}:
            return True
        case _:
            return False
