"""Text in, the business identifiers it names out: found by rule, matched exactly, in linear time."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import Final

from apex_memory.domain.bundles import EntityRef
from apex_memory.pipeline.extraction._vin import is_vin

MAX_BODY: Final = 64
MAX_ADDRESS: Final = 254

#: What a prefix names. `UNIT` and trailers are vehicles too: telematics names all three by vehicle id.
TYPES: Final = {
    "SHIP": "shipment",
    "PO": "purchase_order",
    "BOL": "bill_of_lading",
    "LOAD": "load",
    "MSG": "message",
    "TRUCK": "vehicle",
    "TRK": "vehicle",
    "TRAILER": "vehicle",
    "TRL": "vehicle",
    "UNIT": "vehicle",
}
# "Load #77" and "unit 4411" name something; "ship 200 boxes" and "load 2000 kg" are plain English.
_NUMBERED_PREFIXES: Final = ("LOAD", "PO", "BOL", "TRUCK", "TRK", "TRAILER", "TRL", "UNIT")
_SPACED_PREFIXES: Final = _NUMBERED_PREFIXES[1:]

# Not NFKC: it is quadratic in runs of combining marks (16,000 pairs: 1.2 s). This keeps offsets as well.
_FOLD: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | dict.fromkeys(
    (0x2010, 0x2011, 0x2212), ord("-")
) | dict.fromkeys((0x00A0, 0x202F, 0x3000), ord(" "))  # fmt: skip

# What would continue an identifier. Not Han, Hangul, Kana, Thai: they stand beside one without a space.
_JOIN: Final = r"0-9A-Za-z\d\u00c0-\u024f\u0300-\u052f\u1e00-\u1fff"
_START: Final = rf"(?<![{_JOIN}])(?<![{_JOIN}]-)"
# Possessive (`++`): no part is ever read twice, so hostile text costs no more than other text.
_BODY: Final = r"[A-Z0-9]++(?:-[A-Z0-9]++)*+"
# Each pattern calls `name` what is the identifier's; the rest is label or quotation marks.
_HYPHENED: Final = re.compile(
    rf"{_START}(?ai:(?P<name>(?P<prefix>{'|'.join(TYPES)})-(?P<body>{_BODY})))(?![{_JOIN}])"
)
_NUMBERED: Final = re.compile(
    rf"{_START}(?ai:(?P<name>(?P<prefix>{'|'.join(_NUMBERED_PREFIXES)})[ \t]?#[ \t]?"
    rf"(?=[A-Z]{{0,3}}[0-9])(?P<body>{_BODY})))(?![{_JOIN}])"
)
# At least three digits, then at most one letter: neither "truck 2 of 5" nor "unit 500kg".
_SPACED: Final = re.compile(
    rf"{_START}(?ai:(?P<name>(?P<prefix>{'|'.join(_SPACED_PREFIXES)})[ \t]"
    rf"(?P<body>[0-9]{{3}}[0-9]*+[A-Z]?+(?:-[A-Z0-9]++)*+)))(?![{_JOIN}])"
)
# Of a number without a prefix of its own, the word before it says what it is: "load M290969". Letters and at
# least four digits: neither "load A1" nor "shipment 2026" is one.
_CALLED: Final = re.compile(
    rf"{_START}(?ai:(?:LOAD|SHIPMENT)(?:[ \t](?:NUMBER|NO\.?|ID))?[ \t:#]{{1,3}}"
    rf"(?P<name>[A-Z]{{1,4}}[0-9]{{4}}[0-9]*+))(?![{_JOIN}]|-[{_JOIN}])"
)
_VIN: Final = re.compile(
    rf"{_START}(?ai:(?P<label>VIN[ \t:#]{{1,3}})?(?P<name>[A-HJ-NPR-Z0-9]{{17}}))(?![{_JOIN}]|-[{_JOIN}])"
)
_LOCAL: Final = r"A-Z0-9._%+'-"
_ADDRESS: Final = re.compile(
    rf"(?<![{_JOIN}])(?ai:(?<![{_LOCAL}])['.-]*+(?P<name>(?P<local>[{_LOCAL}]++)"
    rf"@(?:[A-Z0-9-]++\.)+[A-Z]{{2,63}}))(?![{_JOIN}-])"
)

_Reader = Callable[[re.Match[str]], EntityRef | None]


@dataclass(frozen=True)
class Found:
    """An identifier, how the text spells it, and where it starts and ends."""

    entity: EntityRef
    name: str
    start: int
    end: int


def identifiers_in(text: str) -> Iterator[Found]:
    """In the order of the text, repeated as often as named; the first of those that overlap."""
    folded = text if text.isascii() else text.translate(_FOLD)
    streams = (_found(text, folded, pattern, read) for pattern, read in _RULES)
    end = 0
    for found in merge(*streams, key=lambda found: (found.start, -found.end)):
        if found.start >= end:
            end = found.end
            yield found


def _found(text: str, folded: str, pattern: re.Pattern[str], read: _Reader) -> Iterator[Found]:
    for match in pattern.finditer(folded):
        if entity := read(match):
            start, end = match.span("name")
            yield Found(entity=entity, name=text[start:end], start=start, end=end)


def _prefixed(match: re.Match[str]) -> EntityRef | None:
    prefix, body = match["prefix"].upper(), match["body"].upper()
    if len(body) > MAX_BODY or not any(c.isdigit() for c in body):  # "PO-box", "ship-to"
        return None
    return EntityRef(type=TYPES[prefix], key=f"{prefix}-{body}")


def _shipment(match: re.Match[str]) -> EntityRef | None:
    number = match["name"].upper()
    return EntityRef(type="shipment", key=number) if len(number) <= MAX_BODY else None


def _vin(match: re.Match[str]) -> EntityRef | None:
    vin = match["name"].upper()
    return EntityRef(type="vehicle", key=vin) if is_vin(vin, labelled=bool(match["label"])) else None


def _address(match: re.Match[str]) -> EntityRef | None:
    address, local = match["name"], match["local"]
    if local.endswith(".") or ".." in local or len(local) > MAX_BODY or len(address) > MAX_ADDRESS:
        return None
    return EntityRef(type="person", key=address.lower())


_RULES: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = (
    (_HYPHENED, _prefixed),
    (_NUMBERED, _prefixed),
    (_SPACED, _prefixed),
    (_CALLED, _shipment),
    (_VIN, _vin),
    (_ADDRESS, _address),
)
