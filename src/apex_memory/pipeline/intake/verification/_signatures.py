"""Secrets and claimed signatures in, the id of the secret that one of them was made with out."""

import base64
import hmac
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import UUID

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import HookSecret

#: HMAC fills a short key up with zero bytes, so a key of nothing else is the empty key, which anyone has.
_BLANK: Final = b"\0 \t\r\n\v\f"


def secret_behind(
    claims: Sequence[str],
    secrets: Sequence[HookSecret],
    *,
    key_of: Callable[[str], bytes],
    sign: Callable[[bytes], str],
    what: str = "signature",
) -> UUID:
    """Which secret's own signature is among the claims, or whose first if it is several.

    Signatures are compared as text, and so in the one spelling that a sender has: the same bytes have many in
    hex and in base64. Each claim is compared with each secret's, whether or not one was found before.

    Args:
        claims: ASCII, as many as a header has room for.
        secrets: those that are blank, or that `key_of` cannot read, are passed over.
        key_of: a secret's spelling to its bytes; ValueError if it is none.
        sign: a key to the signature that is made with it, in the claims' spelling.
        what: the thing that is claimed, for the message.

    Raises:
        DeliveryRefused: none of the secrets, or there is none that can be used.
    """
    own = [(secret_id, sign(key).encode()) for secret_id, key in _usable(secrets, key_of)]
    if not own:
        raise DeliveryRefused("its endpoint has no live secret that can be used")
    found: UUID | None = None
    for secret_id, signature in own:
        for claim in claims:
            same = hmac.compare_digest(signature, claim.encode())
            if same and found is None:
                found = secret_id
    if found is None:
        raise DeliveryRefused(f"its {what} matches none of its endpoint's live secrets")
    return found


def key_in(secret: HookSecret, key_of: Callable[[str], bytes]) -> bytes:
    """A secret's own key. Raises DeliveryRefused: `key_of` cannot read it, or it is blank."""
    for _, key in _usable([secret], key_of):
        return key
    raise DeliveryRefused("its endpoint has no live secret that can be used")


def _usable(secrets: Sequence[HookSecret], key_of: Callable[[str], bytes]) -> Iterator[tuple[UUID, bytes]]:
    for secret in secrets:
        try:
            key = key_of(secret.text)
        except ValueError:
            continue
        if key.strip(_BLANK):
            yield secret.secret_id, key


def text_key(text: str) -> bytes:
    """Raises ValueError: a lone surrogate, which has no bytes."""
    return text.encode()


def base64_key(text: str) -> bytes:
    """Raises ValueError: not base64, padding included."""
    return base64.b64decode(text, validate=True)


def mac(key: bytes, *parts: bytes, algorithm: str = "sha256") -> bytes:
    """The HMAC of all parts in a row, without a copy of the body in between."""
    made = hmac.new(key, digestmod=algorithm)
    for part in parts:
        made.update(part)
    return made.digest()


def in_base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
