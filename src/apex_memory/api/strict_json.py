"""A body's bytes in, JSON of bounded depth out, or the very bytes of one of its members."""

import json
import re
from http import HTTPStatus
from typing import Final

import orjson

from apex_memory.api.problems import Refused
from apex_memory.domain.nesting import MAX_DEPTH, too_deep

_SPACE: Final = re.compile(r"[ \t\n\r]*")
# Numbers stay as they are written: an integer of a million digits must cost nothing.
_SCANNER: Final = json.JSONDecoder(parse_int=str, parse_float=str)


def parsed(raw: bytes) -> object:
    """RFC 8259 and nothing more: no NaN, no lone surrogates, no other encoding than UTF-8.

    Raises:
        Refused: 400, with the place at fault.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is not JSON (RFC 8259): {exc}.") from None
    if too_deep(value):
        raise Refused(HTTPStatus.BAD_REQUEST, f"The body is nested deeper than {MAX_DEPTH} levels.")
    return value


def raw_member(raw: bytes, name: str) -> bytes:
    """The bytes of one member of an object that `parsed` let through; of two by that name, the later.

    Parsing and writing again would not keep them: numbers beyond 64 bits, the order and repetition of keys.
    """
    text = raw.decode()
    found = ""
    at = _skip_space(text, text.index("{") + 1)
    while text[at] != "}":
        key, end = _SCANNER.raw_decode(text, at)
        start = _skip_space(text, _skip_space(text, end) + 1)  # over the colon
        _, end = _SCANNER.raw_decode(text, start)
        if key == name:
            found = text[start:end]
        at = _skip_space(text, end)
        if text[at] == ",":
            at = _skip_space(text, at + 1)
    return found.encode()


def _skip_space(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at
