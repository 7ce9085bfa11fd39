"""Deliveries by Standard Webhooks 1.0.0 in, the secret they were signed with out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification._challenge import Unasked
from apex_memory.pipeline.intake.verification._headers import id_of, text_of, time_of
from apex_memory.pipeline.intake.verification._signatures import (
    base64_key,
    in_base64,
    key_in,
    mac,
    secret_behind,
)

#: What the reference libraries allow.
_TOLERANCE_S: Final = 300


class Standard(Unasked):
    """`v1,` and base64 of HMAC-SHA256 over `{id}.{seconds}.{body}`, in a list.

    There is one for each of the sender's live secrets. Versions that are not known here, such as `v1a`
    (ed25519), are passed over.
    """

    name = "standard"
    signed = True

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:
        family = _family(delivery)
        message_id = id_of(delivery, f"{family}-id").encode()
        stated = time_of(delivery, f"{family}-timestamp", now=now, tolerance_s=_TOLERANCE_S).encode()
        listed = text_of(delivery, f"{family}-signature", what="signature")
        claims = [entry for entry in listed.split(" ") if entry.startswith("v1,")]
        if not claims:
            raise DeliveryRefused("its signature is of no version that is known")
        return secret_behind(
            claims,
            secrets,
            key_of=_key,
            sign=lambda key: _signature(key, message_id, stated, delivery.body),
        )

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:
        message_id, stated = f"msg_{uuid4().hex}", f"{int(now.timestamp())}"
        signature = _signature(key_in(secret, _key), message_id.encode(), stated.encode(), body)
        return {"webhook-id": message_id, "webhook-timestamp": stated, "webhook-signature": signature}


def _signature(key: bytes, message_id: bytes, stated: bytes, body: bytes) -> str:
    return f"v1,{in_base64(mac(key, message_id, b'.', stated, b'.', body))}"


def _family(delivery: Delivery) -> str:
    """Svix named these headers before there was a standard; one delivery's are never taken from both."""
    svix = "svix-signature" in delivery.headers and "webhook-signature" not in delivery.headers
    return "svix" if svix else "webhook"


def _key(text: str) -> bytes:
    """As shown by most (`whsec_…`), by Supabase (`v1,whsec_…`), or bare. Raises ValueError: not base64."""
    return base64_key(text.removeprefix("v1,").removeprefix("whsec_"))
