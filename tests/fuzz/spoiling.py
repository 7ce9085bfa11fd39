"""Bytes, JSON or a header's value in, something a little or very unlike it out, by a seeded random."""

import base64
import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any

Spoil = Callable[[Random, bytes], bytes]

_ODD_TEXT = (
    b"\0", b"\x7f", b"\x85", b"\xff\xfe", "ü".encode("latin-1"), "ü".encode(), "\U0001d7d9".encode(),
    b"\t", b"  ",
    b",", b";", b"=", b"'", b'"', b"%00", b"{body}", b"\r", b"\x1b[31m",
)  # fmt: skip
_NUMBERS = (
    b"1e999999", b"-0", b"9" * 5000, b"0.1e-400", b"18446744073709551616", b"-9223372036854775809", b"NaN",
    b"1E400", b"-1", b"253402300800", b"1e308", b"0" * 400 + b"1",
)  # fmt: skip
_VALUES = (
    b"null", b"true", b"[]", b"{}", b'""', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\xff"',
    b'"\xed\xa0\x80"', b'"' + b"x" * 9000 + b'"', b"[[[]]]", b'{"":{"":0}}', '"\u202e\u0085\ufeff"'.encode(),
)  # fmt: skip


# Bytes


def flipped(rng: Random, data: bytes) -> bytes:
    if not data:
        return b"\0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def inserted(rng: Random, data: bytes) -> bytes:
    at = rng.randint(0, len(data))
    return data[:at] + rng.choice((rng.randbytes(1), b" ", rng.choice(_ODD_TEXT))) + data[at:]


def deleted(rng: Random, data: bytes) -> bytes:
    at, size = _stretch(rng, data)
    return data[:at] + data[at + size :]


def doubled(rng: Random, data: bytes) -> bytes:
    at, size = _stretch(rng, data)
    return data[: at + size] + data[at:]


def truncated(rng: Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def emptied(_rng: Random, _data: bytes) -> bytes:
    return b""


def _stretch(rng: Random, data: bytes) -> tuple[int, int]:
    return rng.randint(0, len(data)), rng.choice((1, 2, 7, len(data) // 3))


BYTES: tuple[Spoil, ...] = (flipped, inserted, deleted, doubled, truncated, emptied)

# JSON


def respelled(rng: Random, data: bytes) -> bytes:
    """The same value written otherwise, if it is JSON."""
    try:
        said: Any = json.loads(data)
    except (ValueError, RecursionError):
        return data
    spelled = json.dumps(
        said,
        indent=rng.choice((None, 0, 2)),
        sort_keys=rng.random() < 0.5,
        separators=rng.choice(((",", ":"), (", ", ": "))),
        ensure_ascii=rng.random() < 0.5,
    )
    return spelled.encode("utf-8", "surrogatepass")


def nested(rng: Random, data: bytes) -> bytes:
    """Depths around what is read, what Python recurses to, and what is absurd."""
    depth = rng.choice((1, 31, 63, 64, 65, 250, 999, 1025, 20_000))
    opening, closing = rng.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"id":', b"}]")))
    core = rng.choice((data, b"0"))
    inner = opening * depth + core + rng.choice((closing * depth, b""))
    return rng.choice((inner, b'{"data":' + inner + b"}", _with_value(rng, data, inner)))


def numbered(rng: Random, data: bytes) -> bytes:
    return _with_value(rng, data, rng.choice(_NUMBERS))


def revalued(rng: Random, data: bytes) -> bytes:
    return _with_value(rng, data, rng.choice(_VALUES))


def rekeyed(rng: Random, data: bytes) -> bytes:
    """One more member: a key that is there already, or one that sources look for."""
    keys = (b"id", b"type", b"eventId", b"eventType", b"payload", b"event", b"data", b"eventPayload", b"")
    key, value = rng.choice(keys), rng.choice((*_VALUES, b'"sync"', b'"apex.ping"', b'"Ping"', b"7"))
    return data.replace(b"{", b'{"' + key + b'":' + value + b",", 1)


def recoded(rng: Random, data: bytes) -> bytes:
    """As somebody's middleware would: compressed, in another encoding, after a mark."""
    match rng.randrange(5):
        case 0:
            return gzip.compress(data, mtime=0)
        case 1:
            return data.decode("utf-8", "replace").encode("utf-16")
        case 2:
            return b"\xef\xbb\xbf" + data
        case 3:
            return base64.b64encode(data)
        case _:
            return b"payload=" + data.replace(b" ", b"+")


def _with_value(rng: Random, data: bytes, value: bytes) -> bytes:
    """What follows one of its colons is another value: often still JSON."""
    colons = [at for at, byte in enumerate(data[:20_000]) if byte == ord(":")]
    if not colons:
        return value
    at = rng.choice(colons) + 1
    ends = [end for end in (data.find(mark, at) for mark in (b",", b"}", b"]")) if end > 0]
    return data[:at] + value + data[min(ends, default=len(data)) :]


JSONS: tuple[Spoil, ...] = (respelled, nested, numbered, revalued, rekeyed, recoded)

# Header values


def recased(rng: Random, value: bytes) -> bytes:
    return rng.choice((value.upper(), value.lower(), value.swapcase()))


def spaced(rng: Random, value: bytes) -> bytes:
    return rng.choice((b" " + value, value + b"\t", b" " + value + b" ", value.replace(b"=", b" = ")))


def listed(rng: Random, value: bytes) -> bytes:
    other = rng.choice((value, value[::-1], b"v1,AAAA", b"v1a,AAAA", b"", b"x" * 60))
    joint = rng.choice((b" ", b",", b", ", b";"))
    return joint.join(rng.choice(([value, other], [other, value], [value] * rng.choice((3, 12, 40)))))


def odd(rng: Random, value: bytes) -> bytes:
    at = rng.randint(0, len(value))
    return value[:at] + rng.choice(_ODD_TEXT) + value[at:]


def lengthened(rng: Random, value: bytes) -> bytes:
    return value + rng.choice((b"0", b"=", b" v1,x", b"a" * 2048, b"9" * 5000, b",v1=" * 3000))


def renumbered(rng: Random, value: bytes) -> bytes:
    """A timestamp in another spelling, or another one."""
    digits = value if value.isdigit() else b"1795010700"
    stated = int(digits[:18])
    away = rng.choice((1, -1, 299, -300, 301, -301, 10**6, -(10**9)))
    return rng.choice((
        b"%d" % (stated + away), b"+" + digits, b"0" + digits, digits + b".0", b"-" + digits, digits + b"000",
        digits[:-3], b"1.795e9", b"0x6afd", digits + b"e0", "١٧٩".encode(), b"\xb2",
        digits[:4] + b"_" + digits[4:],
    ))  # fmt: skip


VALUES: tuple[Spoil, ...] = (
    *(recased, spaced, listed, odd, lengthened, renumbered),
    *(flipped, inserted, deleted, truncated, emptied),
)
