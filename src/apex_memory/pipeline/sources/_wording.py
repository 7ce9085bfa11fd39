"""Times, numbers and codes in, the words for them out; the same on every machine, whatever its locale."""

from datetime import datetime
from typing import Final

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def spoken_time(at: datetime) -> str:
    """Such as "19 October 2025 at 14:23:00 UTC"; `at` is in UTC."""
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year} at {at:%H:%M:%S} UTC"


def stamp(at: datetime) -> str:
    """RFC 3339 with a Z, such as "2025-10-19T14:23:00Z"; `at` is in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def plain_number(value: float) -> str:
    """Without exponent or trailing zeros; seven decimals of a degree are a centimetre."""
    written = f"{value:.7f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def spoken_code(code: str) -> str:
    """Such as "in transit" for `in_transit`."""
    return " ".join(code.replace("_", " ").split())
