"""A request and what was really signed in, whether it must be taken, must be refused or may be either out.

Written from the vendors' rules. It knows what each sender signed, so that it need not trust an HMAC over
parts that were put together otherwise: the same bytes split differently are another message.
"""

import base64
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import cast

import orjson
from tests.fuzz.ways import NOW, TOKENS, Signed
from tests.fuzz.wire import Request

#: What one of our headers may hold, by our own documents.
LONGEST_HEADER = 2048
_BLANKS = re.compile(r"[\s,;]+")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,200}")
_PLAIN_WORD = re.compile(r"[0-9A-Za-z._-]{1,100}")
_STANDARD_LIST = re.compile(r"v[0-9]+[a-z]?,[A-Za-z0-9+/=]+( v[0-9]+[a-z]?,[A-Za-z0-9+/=]+)*")
_STRIPE_LIST = re.compile(r"t=[0-9]+(,v[0-9]=[0-9a-f]{64})+")
_NO_EVENT = ("multipart/", "image/", "audio/", "video/", "font/")


class Verdict(StrEnum):
    GENUINE = "genuine"
    FORGED = "forged"
    #: Proven in substance and not in form, as by a header that is sent twice: the vendors say nothing of it.
    UNSAID = "unsaid"


@dataclass(frozen=True)
class Door:
    """An endpoint as its owner made it. ways: the names of those that its scheme lets in; `token` is one."""

    endpoint_id: str
    tenant_id: str
    source: str
    ways: tuple[str, ...]
    live: tuple[str, ...]
    over: tuple[str, ...] = ()
    disabled: bool = False

    @property
    def path(self) -> str:
        return f"/v1/hooks/{self.source}/{self.endpoint_id}"


def judged(request: Request, doors: Mapping[str, Door], signed: Collection[Signed], *, most: int) -> Verdict:
    """`doors` by path; `most` bytes are taken."""
    door = doors.get(request.path())
    if door is None or door.disabled:
        return Verdict.FORGED
    proven, exact = _by_token(request, door) if "token" in door.ways else _by_signature(request, door, signed)
    if not proven:
        return Verdict.FORGED
    return Verdict.GENUINE if exact and not _excusable(request, door, most) else Verdict.UNSAID


def word_asked(request: Request, door: Door) -> str | None:
    """What its sender wants to hear back, of the two that ask; empty: it is no text, or several."""
    said = json_object(request.body)
    if "front_application" in door.ways and said.get("type") == "sync":
        words: list[object] = [*request.values("x-front-challenge")]
    elif "slack" in door.ways and said.get("type") == "url_verification" and "challenge" in said:
        words = [said["challenge"]]
    else:
        return None
    if not words:
        return None
    [word] = words if len(words) == 1 else [""]
    return word if isinstance(word, str) else ""


def _excusable(request: Request, door: Door, most: int) -> bool:
    """Whether a refusal would have another reason than the signature: the size, the kind, the word asked."""
    lengths, kinds = request.values("content-length"), request.values("content-type")
    word = word_asked(request, door)
    return (
        len(request.body) > most
        or lengths not in ([], [str(len(request.body))])
        or any(kind.strip().lower().startswith(_NO_EVENT) for kind in kinds)
        or (word is not None and not _PLAIN_WORD.fullmatch(word))
    )


def _by_token(request: Request, door: Door) -> tuple[bool, bool]:
    shown = {name: values for name in TOKENS if (values := request.values(name))}
    words = {word for values in shown.values() for value in values for word in _words_of(value)}
    proven = not words.isdisjoint(door.live)
    exact = [value for secret in door.live for value in (secret, f"Bearer {secret}", f"bearer {secret}")]
    [only] = shown.values() if len(shown) == 1 else [[]]
    bare = [v for v in exact if v in door.live] if "authorization" not in shown else exact
    return proven, proven and len(only) == 1 and only[0] in bare


def _words_of(value: str) -> Iterator[str]:
    """The words of a header, and of basic credentials the password."""
    for word in _BLANKS.split(value):
        yield word
        try:
            yield base64.b64decode(word, validate=True).partition(b":")[2].decode("latin-1")
        except ValueError:
            continue


def _by_signature(request: Request, door: Door, signed: Collection[Signed]) -> tuple[bool, bool]:
    facts = [
        fact
        for fact in signed
        if fact.way.name in door.ways
        and fact.secret in door.live
        and fact.body == request.body
        and fact.within(NOW)
    ]
    proven = any(_is_shown(request, fact, door.ways) for fact in facts)
    families = sum(bool(request.values(name)) for name in ("webhook-signature", "svix-signature"))
    return proven, families < 2 and any(_is_shown_exactly(request, fact) for fact in facts)


def _is_shown(request: Request, fact: Signed, ways: Sequence[str]) -> bool:
    """Signature, time and id stand somewhere in their headers, each as a word of its own."""
    way = fact.way
    proofs = _words(request, *_family(way.proof, ways))
    marks = ("", way.prefix.rstrip(","))
    if way.spelling == "hex":
        proofs = {proof.lower() for proof in proofs}
    shown = any(mark + fact.signature in proofs for mark in marks)
    times = _words(request, *_family(way.time, ways)) if way.time else proofs
    timed = not way.timed or fact.time in times or f"t={fact.time}" in times
    named = not way.id or fact.id in _words(request, *_family(way.id, ways))
    return shown and timed and named


def _family(header: str, ways: Sequence[str]) -> list[str]:
    """Svix and the standard sign alike under two names."""
    rest = header.partition("-")[2]
    return [f"webhook-{rest}", f"svix-{rest}"] if "svix" in ways else [header]


def _words(request: Request, *headers: str) -> set[str]:
    return {word for header in headers for value in request.values(header) for word in _BLANKS.split(value)}


def _is_shown_exactly(request: Request, fact: Signed) -> bool:
    """Each header once, and in the form that its sender gives it."""
    way = fact.way
    if any(request.values(name) != [told] for name, told in fact.headers().items() if name != way.proof):
        return False
    if way.id and not _WORD.fullmatch(fact.id):
        return False
    proofs = request.values(way.proof)
    if len(proofs) != 1 or len(proofs[0]) > LONGEST_HEADER:
        return False
    [proof] = proofs
    match way.name:
        case "standard" | "svix":
            return bool(_STANDARD_LIST.fullmatch(proof)) and f"v1,{fact.signature}" in proof.split(" ")
        case "stripe":
            entries = proof.split(",")
            timed = entries[0] == f"t={fact.time}"
            return bool(_STRIPE_LIST.fullmatch(proof)) and timed and f"v1={fact.signature}" in entries
        case _:
            return proof == way.prefix + fact.signature


def json_object(body: bytes) -> Mapping[str, object]:
    """Of what is no JSON object, nothing."""
    try:
        # Not Python's own: that gives up on depths and on numbers that are JSON all the same.
        said: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, object]", said) if isinstance(said, dict) else {}
