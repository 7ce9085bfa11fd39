"""Samsara's deliveries in, the secret they were signed with out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification._challenge import Unasked
from apex_memory.pipeline.intake.verification._headers import text_of, time_of
from apex_memory.pipeline.intake.verification._signatures import base64_key, key_in, mac, secret_behind

#: Samsara documents no tolerance; this is what Standard Webhooks, Stripe and Slack allow.
_TOLERANCE_S: Final = 300


class Samsara(Unasked):
    """`v1=` and hex of HMAC-SHA256 over `v1:{seconds}:{body}`; the secret is shown in base64.

    The vendor's Python SDK signs otherwise (URL and body, key not decoded): no delivery is like that.
    """

    name = "samsara"
    signed = True

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:
        stated = time_of(delivery, "x-samsara-timestamp", now=now, tolerance_s=_TOLERANCE_S).encode()
        signature = text_of(delivery, "x-samsara-signature", what="signature")
        return secret_behind(
            [signature],
            secrets,
            key_of=base64_key,
            sign=lambda key: _signature(key, stated, delivery.body),
        )

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:
        stated = f"{int(now.timestamp())}"
        signature = _signature(key_in(secret, base64_key), stated.encode(), body)
        return {"x-samsara-timestamp": stated, "x-samsara-signature": signature}


def _signature(key: bytes, stated: bytes, body: bytes) -> str:
    return f"v1={mac(key, b'v1:', stated, b':', body).hex()}"
