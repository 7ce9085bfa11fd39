"""A seeded random in, a delivery as its sender posts it out: recorded, or signed just now."""

import base64
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from tests.fuzz.doors import Draft, bodies, doors, recordings, secret_of
from tests.fuzz.spoiling import BYTES, JSONS
from tests.fuzz.ways import NOW, TOKENS, WAY_OF, WAYS, Signed
from tests.fuzz.wire import Pair

TYPES = (
    b"application/json", b"text/plain", b"", b"application/json; charset=utf-16", b"APPLICATION/JSON",
    b"multipart/form-data; boundary=x", b"image/png", b"application/x-www-form-urlencoded",
    b"\xff", b"a/" * 900,
)  # fmt: skip
_T = TypeVar("_T")
_AWAY_S = (0, 0, 0, 1, -1, 59, -60, 61, 299, 300, -300, 301, -301, 86_400, -(10**8))
_USUAL_IDS = ("msg_1", "msg_2", "m-7")
_ODD_IDS = ("a" * 200, "a" * 257, "ü", "m.1", "m 1", "")


def recorded(rng: Random) -> Draft:
    told = rng.choice(recordings())
    return Draft(told.target, [*told.headers], told.body, [*told.signed])


def fresh(rng: Random) -> Draft:
    """With a secret that is mostly one of the endpoint's own."""
    door = rng.choice([*doors().values()])
    body = rng.choice(bodies())
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        body = rng.choice((*BYTES, *JSONS, _planted))(rng, body)
    draft = Draft(door.path, [(b"Content-Type", _often(rng, 0.9, TYPES[:1], TYPES))], body)
    others = [*door.over, *rng.choice([*doors().values()]).live, secret_of("nobody")]
    secrets = [_often(rng, 0.85, door.live, others)]
    if "token" in door.ways:
        draft.headers.append(_shown_token(rng, secrets[0]))
        return draft
    if "standard" in door.ways and rng.random() < 0.3:
        secrets += rng.sample([*door.live, *others], 2)
    way = _often(rng, 0.97, [WAY_OF[name] for name in door.ways], WAYS)
    at, named = NOW + rng.choice(_AWAY_S), _often(rng, 0.9, _USUAL_IDS, _ODD_IDS)
    _sign(draft, [Signed.by(way, secret, body, at=at, id=named) for secret in secrets])
    return draft


def _often(rng: Random, share: float, usual: Sequence[_T], others: Sequence[_T]) -> _T:
    return rng.choice(usual if rng.random() < share else others)


def _sign(draft: Draft, facts: list[Signed]) -> None:
    """Several are shown in one list, as senders do while they change their secret."""
    shown = {name: [fact.headers()[name] for fact in facts] for name in facts[0].headers()}
    for name, values in shown.items():
        joined = " ".join(values) if name == facts[0].way.proof else values[0]
        draft.headers.append((name.title().encode(), joined.encode()))
    draft.signed += facts


def _shown_token(rng: Random, secret: str) -> Pair:
    basic = base64.b64encode(f"turvo:{secret}".encode()).decode()
    value = rng.choice(
        (f"Bearer {secret}", secret, f"bearer  {secret}", f"Basic {basic}", f"Digest {secret}")
    )
    name = rng.choice(TOKENS)
    return name.encode(), (value if name == "authorization" else secret).encode()


def _planted(rng: Random, body: bytes) -> bytes:
    """Text of a body that could pass for the joints between id, time and body."""
    joint = rng.choice((b".%d." % NOW, b"|7|", b":", b"v1:%d:" % NOW, b"%d." % NOW))
    at = rng.randint(0, len(body))
    return body[:at] + joint + body[at:]
