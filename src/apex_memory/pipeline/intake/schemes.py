"""An endpoint in, how deliveries to it prove themselves out; and secrets of the shape that senders expect."""

import base64
import secrets
from typing import Final

from apex_memory.domain.hooks import Endpoint
from apex_memory.pipeline.intake.verification.hmac import hmac_scheme
from apex_memory.pipeline.intake.verification.registry import SCHEMES, scheme_named
from apex_memory.ports import Scheme

#: The scheme whose rule each endpoint brings along.
HMAC: Final = "hmac"
STANDARD: Final = "standard"
NAMES: Final = (HMAC, *(scheme.name for scheme in SCHEMES))
#: How each source's own system proves itself; any other sender is asked for Standard Webhooks.
_OF_SOURCE: Final = {"samsara": "samsara", "frontapp": "front_application", "turvo": "token"}
_SECRET_BYTES: Final = 32
_ID_BYTES: Final = 18


def scheme_of(endpoint: Endpoint) -> Scheme:
    return hmac_scheme(endpoint.rule) if endpoint.rule else scheme_named(endpoint.scheme)


def usual_scheme(source: str) -> str:
    return _OF_SOURCE.get(source, STANDARD)


def new_endpoint_id() -> str:
    """144 random bits: who guesses one could as well guess a secret."""
    return secrets.token_urlsafe(_ID_BYTES).replace("-", "0").replace("_", "1")


def new_secret(scheme: str) -> str:
    """256 random bits, written as the senders of this scheme write theirs."""
    key = secrets.token_bytes(_SECRET_BYTES)
    match scheme:
        case "standard":
            return f"whsec_{base64.b64encode(key).decode()}"
        case "samsara":
            return base64.b64encode(key).decode()
        case _:
            return base64.urlsafe_b64encode(key).decode().rstrip("=")
