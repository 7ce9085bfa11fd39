"""Bytes that should be text in, the text with line feeds as its line ends out."""

import codecs
import re
from typing import Final

from apex_memory.domain.errors import DocumentRejected

MAX_TEXT_BYTES: Final = 64 << 20
# Longest first: the UTF-32 mark begins with the UTF-16 one.
BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Western text has an accent here and there. Other scripts in their legacy encodings are mostly such bytes;
# read as cp1252, they would be stored as nonsense that looks like success.
MAX_SHARE_OF_HIGH_BYTES: Final = 0.2
HIGH_BYTES: Final = bytes(range(0x80, 0x100))
# All control characters but tab, line feed, form feed, carriage return and escape (coloured logs).
CONTROLS: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
LINE_ENDS: Final = re.compile(r"\r\n?")
REMEDY: Final = "save it as UTF-8 and send it again"
BINARY: Final = f"is binary, not text; if it is UTF-16 without a byte order mark, {REMEDY}"


def decode_text(data: bytes, *, name: str) -> str:
    """By byte order mark, else as UTF-8, else as Western text (cp1252) if it looks like that.

    Offsets into a document always mean the text that is returned here.

    Raises:
        DocumentRejected: empty, too large, binary, or of an encoding that can only be guessed.
    """
    if len(data) > MAX_TEXT_BYTES:
        raise DocumentRejected(name, f"has {len(data)} bytes of text; at most {MAX_TEXT_BYTES} are read")
    text = LINE_ENDS.sub("\n", _decoded(data, name))
    if "\0" in text:
        # PostgreSQL cannot keep the character either.
        raise DocumentRejected(name, BINARY)
    if not text.strip():
        raise DocumentRejected(name, "is empty")
    return text


def _decoded(data: bytes, name: str) -> str:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _marked(data, encoding, name)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return _western(data, name)


def _marked(data: bytes, encoding: str, name: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as exc:
        problem = f"begins with the mark of {encoding} but is malformed at byte {exc.start}; {REMEDY}"
        raise DocumentRejected(name, problem) from exc


def _western(data: bytes, name: str) -> str:
    if CONTROLS.search(data):
        raise DocumentRejected(name, BINARY)
    high = len(data) - len(data.translate(None, HIGH_BYTES))
    problem = f"is text in an encoding that cannot be told for sure; {REMEDY}"
    if high > MAX_SHARE_OF_HIGH_BYTES * len(data):
        raise DocumentRejected(name, problem)
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError as exc:
        raise DocumentRejected(name, problem) from exc
