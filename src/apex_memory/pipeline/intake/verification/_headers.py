"""Headers in, short plain text out; what is missing, too long or malformed refuses the delivery."""

import re
from datetime import datetime
from typing import Final

from apex_memory.domain.errors import DeliveryRefused
from apex_memory.domain.hooks import Delivery

#: Room for twenty signatures in one list, or for a token of any make. What is longer is not looked at.
LONGEST: Final = 2048

_PLAIN: Final = re.compile(r"[ -~]+")
_DIGITS: Final = re.compile(r"[0-9]{1,15}")
# No full stop and nothing that JSON begins with: an id is signed together with what follows it, and with
# these in it, text of a genuine body could be passed off as the end of an id.
_ID: Final = re.compile(r"[0-9A-Za-z_:=+/@~-]{1,256}")


def text_of(delivery: Delivery, header: str, *, what: str) -> str:
    """Of 1 to 2048 characters, all of them printable ASCII.

    Raises:
        DeliveryRefused: the header is not that; says of `what`, never quotes.
    """
    value = delivery.headers.get(header)
    if not value:
        raise DeliveryRefused(f"its {what} is missing")
    if len(value) > LONGEST:
        raise DeliveryRefused(f"its {what} is longer than {LONGEST} characters")
    if not _PLAIN.fullmatch(value):
        raise DeliveryRefused(f"its {what} holds other characters than printable ASCII")
    return value


def id_of(delivery: Delivery, header: str) -> str:
    """Of 1 to 256 characters. Raises DeliveryRefused: missing, or of other characters than an id has."""
    value = text_of(delivery, header, what="id")
    if not _ID.fullmatch(value):
        raise DeliveryRefused("its id is not one word of at most 256 letters, digits and _:=+/@~-")
    return value


def time_of(delivery: Delivery, header: str, *, now: datetime, tolerance_s: int, per_s: int = 1) -> str:
    """As `text_of` and `check_time`, the text as it stands: that is what is signed."""
    stated = text_of(delivery, header, what="timestamp")
    check_time(stated, now=now, tolerance_s=tolerance_s, per_s=per_s)
    return stated


def check_time(stated: str, *, now: datetime, tolerance_s: int, per_s: int = 1) -> None:
    """Digits only, in units of which `per_s` make a second, since 1970.

    Raises:
        DeliveryRefused: not digits, or further from now than the tolerance, into the past or the future.
    """
    if not _DIGITS.fullmatch(stated):
        raise DeliveryRefused("its timestamp is not a number of at most 15 decimal digits")
    if abs(now.timestamp() - int(stated) / per_s) > tolerance_s:
        raise DeliveryRefused(f"its timestamp is more than {tolerance_s} s away from now")
