"""Deliveries with a shared token in, the secret that it is out; the body is taken on trust."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery, HookSecret
from apex_memory.pipeline.intake.verification._challenge import Unasked
from apex_memory.pipeline.intake.verification._headers import text_of
from apex_memory.pipeline.intake.verification._signatures import secret_behind, text_key

_BARE: Final = ("token", "x-turvo-token", "x-api-key")


class Token(Unasked):
    """`Authorization` as bearer, as basic (its password) or bare; or `token`, `x-turvo-token`, `x-api-key`.

    Turvo documents no signature, and many others have none. Who reads along once can send whatever it likes.
    """

    name = "token"
    signed = False

    def verify(self, delivery: Delivery, secrets: Sequence[HookSecret], *, now: datetime) -> UUID:  # noqa: ARG002 - the port's
        shown = [
            text_of(delivery, header, what="token").encode()
            for header in _BARE
            if delivery.headers.get(header)
        ]
        if delivery.headers.get("authorization"):
            shown.append(_credential(text_of(delivery, "authorization", what="token")))
        if not shown:
            raise DeliveryRefused("its token is missing")
        return secret_behind(
            [_hashed(token) for token in shown], secrets, key_of=text_key, sign=_hashed, what="token"
        )

    def sign(self, body: bytes, secret: HookSecret, *, now: datetime) -> Mapping[str, str]:  # noqa: ARG002 - the port's
        return {"authorization": f"Bearer {secret.text}"}


def _credential(authorization: str) -> bytes:
    """Raises DeliveryRefused: basic, and not in base64."""
    kind, _, rest = authorization.partition(" ")
    match kind.lower():
        case "bearer":
            return rest.strip().encode()
        case "basic":
            return _password(rest.strip())
        case _:
            return authorization.encode()


def _password(credentials: str) -> bytes:
    try:
        decoded = base64.b64decode(credentials, validate=True)
    except ValueError:
        raise DeliveryRefused("its basic authorization is not in base64") from None
    return decoded.partition(b":")[2]


def _hashed(token: bytes) -> str:
    """Of one length whatever the token's, so that the time of a comparison does not tell it."""
    return hashlib.sha256(token).hexdigest()
