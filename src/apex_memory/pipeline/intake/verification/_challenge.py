"""A delivery in, the word that its sender wants to hear back out; none from senders that never test."""

import re
from typing import Final

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery

# A word is sent back as it is: no markup, no second header, nothing long.
_ECHOED: Final = re.compile(r"[0-9A-Za-z._~+/=:-]{1,256}")


def echoed(word: object) -> str:
    """Raises DeliveryRefused: too long, or of other characters than such words have; never quotes."""
    if not isinstance(word, str) or not _ECHOED.fullmatch(word):
        raise DeliveryRefused("its challenge is not one word of at most 256 letters, digits and ._~+/=:-")
    return word


class Unasked:
    """The half of the port `Scheme` that is the same for most."""

    def challenge(self, delivery: Delivery) -> str | None:  # noqa: ARG002 - the port's
        return None
