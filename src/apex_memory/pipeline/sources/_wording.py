"""Times, numbers and codes in, the words for them out; the same on every machine, whatever its locale."""

import re
from datetime import datetime
from typing import Final

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


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


def spoken_pace(speed_mph: float | None) -> str:
    """Such as ", moving at 55 mph", to follow on where something is; empty if nobody knows."""
    if speed_mph is None:
        return ""
    return f", moving at {plain_number(speed_mph)} mph" if speed_mph else ", standing still at 0 mph"


def spoken_type(name: str) -> str:
    """Such as "Geofence entry" for `GeofenceEntry`."""
    words = _HUMP.sub(" ", name).lower()
    return words[:1].upper() + words[1:]


def spoken_code(code: str) -> str:
    """Such as "in transit" for `in_transit`."""
    return " ".join(code.replace("_", " ").split())
