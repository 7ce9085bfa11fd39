"""A seed and a number in, a delivery out, sound or spoilt on its way, with all that was signed for it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

from tests.fuzz.doors import Draft, bodies, doors, secret_of
from tests.fuzz.senders import TYPES, fresh, recorded
from tests.fuzz.spoiling import BYTES, JSONS, VALUES
from tests.fuzz.ways import NOW, WAY_OF, Signed
from tests.fuzz.wire import Request


@dataclass(frozen=True)
class Posted:
    """What is sent, and all that was signed while it was made."""

    request: Request
    signed: tuple[Signed, ...]


def posted(seed: int, number: int) -> Posted:
    """Always the same for the same two numbers."""
    rng = Random(f"{seed}/{number}")
    draft = recorded(rng) if rng.random() < 0.15 else fresh(rng)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        rng.choice(_SPOILS)(rng, draft)
    return Posted(draft.request(), tuple(draft.signed))


def _spoil_body(rng: Random, draft: Draft) -> None:
    draft.body = rng.choice((*BYTES, *JSONS))(rng, draft.body)


def _splice(rng: Random, draft: Draft) -> None:
    other = rng.choice(bodies())
    draft.body = draft.body[: rng.randint(0, len(draft.body))] + other[rng.randint(0, len(other)) :]


def _spoil_header(rng: Random, draft: Draft) -> None:
    if draft.headers:
        at = rng.randrange(len(draft.headers))
        name, value = draft.headers[at]
        draft.headers[at] = (name, rng.choice(VALUES)(rng, value))


def _repeat_header(rng: Random, draft: Draft) -> None:
    if draft.headers:
        name, value = rng.choice(draft.headers)
        again = rng.choice((value, b"", rng.choice(VALUES)(rng, value)))
        draft.headers.insert(rng.randint(0, len(draft.headers)), (name, again))


def _drop_header(rng: Random, draft: Draft) -> None:
    if draft.headers:
        draft.headers.pop(rng.randrange(len(draft.headers)))


def _rename_header(rng: Random, draft: Draft) -> None:
    if draft.headers:
        at = rng.randrange(len(draft.headers))
        name, value = draft.headers[at]
        other = rng.choice(
            (name.upper(), name.replace(b"-", b"_"), name.replace(b"webhook", b"svix"), b"X-" + name)
        )
        draft.headers[at] = (other.replace(b"Webhook", b"Svix"), value)


def _add_header(rng: Random, draft: Draft) -> None:
    size = b"%d" % (len(draft.body) + rng.choice((0, 0, 1, -1, 10**7)))
    more = (
        (b"Content-Length", size),
        (b"Content-Length", rng.choice((b"9" * 19, b"9" * 5000, b"-1", b"\xb2", b"1e3"))),
        (b"Content-Encoding", b"gzip"), (b"Transfer-Encoding", b"chunked"),
        (b"Content-Type", rng.choice(TYPES)),
        (b"X-Front-Challenge", rng.choice((b"c-7f3a", b"", b"<b>", b"a" * 300, b"\xfc", b"a\r\nb"))),
        (b"X-Request-Id", rng.choice((b"r-1", b"\xff" * 9, b"x" * 200))), (b"Cookie", b"a=" + b"b" * 9000),
        (b"X-" + b"n" * 300, b"\0"), (b"Token", secret_of("nobody").encode()),
        (b"Authorization", b"Basic \xff"),
        (b"Authorization", b"Bearer key-of-alice"), (b"X-Api-Key", b"key-of-alice"),
        (b"Svix-Signature", b"v1,AAAA"), (b"Webhook-Signature", b"v1a,AAAA"),
    )  # fmt: skip
    draft.headers.append(rng.choice(more))


def _crowd(rng: Random, draft: Draft) -> None:
    draft.headers += [(b"X-%d" % at, rng.randbytes(3).hex().encode()) for at in range(rng.choice((70, 300)))]


def _swap_proof(rng: Random, draft: Draft) -> None:
    """Headers of another delivery: another endpoint's, another way's, or its own of another body."""
    other = recorded(rng) if rng.random() < 0.2 else fresh(rng)
    draft.signed += other.signed
    if rng.random() < 0.5:
        draft.headers = other.headers
    elif other.headers:
        name, value = rng.choice(other.headers)
        draft.headers = [(n, v) for n, v in draft.headers if n.lower() != name.lower()] + [(name, value)]


def _swap_body(rng: Random, draft: Draft) -> None:
    other = fresh(rng)
    draft.signed += other.signed
    draft.body = other.body


def _move_joint(rng: Random, draft: Draft) -> None:
    """The same bytes under the HMAC, split otherwise: the start of a body passed off as the end of an id."""
    door = rng.choice([door for door in doors().values() if {"standard", "odd"} & {*door.ways}])
    way = WAY_OF[rng.choice(door.ways)]
    text, rest = rng.choice((b"x", b"m-1", b'{"a":"x')), rng.choice(bodies())
    joint = b"|" if way.name == "odd" else b".%d." % NOW
    fact = Signed.by(way, rng.choice(door.live), text + joint + rest, at=NOW)
    moved = fact.id.encode() + (joint + text)
    shown = {**fact.headers(), str(way.id): moved.decode()}
    draft.target, draft.body, draft.signed = door.path, rest, [fact]
    draft.headers = [(name.encode(), value.encode()) for name, value in shown.items()]


def _misdirect(rng: Random, draft: Draft) -> None:
    draft.target = rng.choice([*doors()])


def _mangle_path(rng: Random, draft: Draft) -> None:
    *head, source, name = draft.target.partition("?")[0].split("/")
    at = rng.randrange(max(1, len(name)))
    encoded = f"{name[:at]}%{ord(name[at]):02X}{name[at + 1 :]}" if name else "%20"
    others = (
        encoded, "".join(f"%{ord(char):02x}" for char in name), name.upper(), name + "/", name + "%00",
        name + "%0A", name + "%2F", name[:-1], name + "%20", quote("ü" + name), "%ff" + name, "..", "%2e%2e",
        name + ";a=b", "a" * 5000, name + "?x=%ff&wait=1", "//" + name, "*", "%25" + name, name + "%E2%80%AE",
    )  # fmt: skip
    sources = (
        source,
        source,
        source,
        source.upper(),
        "samsara",
        "turvo",
        f"%{ord(source[:1] or '.'):02X}" + source[1:],
    )
    draft.target = "/".join([*head, rng.choice(sources), rng.choice(others)])


_SPOILS: tuple[Callable[[Random, Draft], None], ...] = (
    *(_spoil_body, _spoil_body, _splice, _spoil_header, _spoil_header, _spoil_header, _repeat_header),
    *(_drop_header, _rename_header, _add_header, _add_header, _crowd, _swap_proof, _swap_body),
    *(_move_joint, _misdirect, _mangle_path),
)
