"""A body and a secret in, a signed delivery out, by a table of what the vendors document."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

#: The moment at which most recordings were made: the clock of every fuzzed delivery.
NOW = 1_795_010_700
#: Headers in which a shared token may stand.
TOKENS = ("authorization", "token", "x-turvo-token", "x-api-key")


@dataclass(frozen=True)
class Way:
    """How one kind of sender signs. `signs` is what goes into the HMAC.

    proof: the header of the signature. time, id: those of timestamp and id; in Stripe's list there is no
    header for the time. key: whether the secret is base64 or the key itself. per_s: units of the time.
    """

    name: str
    proof: str
    signs: bytes
    prefix: str = ""
    time: str | None = None
    id: str | None = None
    key: Literal["base64", "text"] = "text"
    hash: str = "sha256"
    spelling: Literal["hex", "base64"] = "hex"
    per_s: int = 1
    tolerance_s: int = 300
    scheme: str = "hmac"

    @property
    def timed(self) -> bool:
        return b"{time}" in self.signs

    def signature(self, secret: str, body: bytes, *, time: str, id: str) -> str:  # noqa: A002
        key = _decoded(secret) if self.key == "base64" else secret.encode()
        # The body last: what stands in it is not a place to fill.
        head, _, tail = self.signs.partition(b"{body}")
        head = head.replace(b"{time}", time.encode()).replace(b"{id}", id.encode())
        made = hmac.new(key, head + body + tail, getattr(hashlib, self.hash)).digest()
        return made.hex() if self.spelling == "hex" else base64.b64encode(made).decode()


WAYS = (
    Way(
        "samsara", "x-samsara-signature", b"v1:{time}:{body}", "v1=",
        time="x-samsara-timestamp", key="base64", scheme="samsara",
    ),
    Way(
        "front_application", "x-front-signature", b"{time}:{body}",
        time="x-front-request-timestamp", spelling="base64", per_s=1000, scheme="front_application",
    ),
    Way("front_rule", "x-front-signature", b"{body}", hash="sha1", spelling="base64", scheme="front_rule"),
    Way(
        "standard", "webhook-signature", b"{id}.{time}.{body}", "v1,",
        time="webhook-timestamp", id="webhook-id", key="base64", spelling="base64", scheme="standard",
    ),
    Way(
        "svix", "svix-signature", b"{id}.{time}.{body}", "v1,",
        time="svix-timestamp", id="svix-id", key="base64", spelling="base64", scheme="standard",
    ),
    Way("github", "x-hub-signature-256", b"{body}", "sha256="),
    Way("stripe", "stripe-signature", b"{time}.{body}", "v1="),
    Way("slack", "x-slack-signature", b"v0:{time}:{body}", "v0=", time="x-slack-request-timestamp"),
    Way(
        "odd", "x-odd-signature", b"<{time}|{id}|{body}>", "s=",
        time="x-odd-time", id="x-odd-id", hash="sha512", spelling="base64", tolerance_s=60,
    ),
)  # fmt: skip
WAY_OF = {way.name: way for way in WAYS}


@dataclass(frozen=True)
class Signed:
    """What the holder of a secret did sign: nothing else is genuine, however it comes to verify."""

    way: Way
    secret: str
    body: bytes
    time: str
    id: str
    signature: str

    @classmethod
    def by(cls, way: Way, secret: str, body: bytes, *, at: int, id: str = "msg_1") -> "Signed":  # noqa: A002
        """`at` in Unix seconds."""
        time = str(at * way.per_s)
        return cls(way, secret, body, time, id, way.signature(secret, body, time=time, id=id))

    def within(self, now: int) -> bool:
        """Whether its time is close enough, of a sender that states one."""
        away = abs(now * self.way.per_s - int(self.time))
        return not self.way.timed or away <= self.way.tolerance_s * self.way.per_s

    def headers(self) -> Mapping[str, str]:
        """As its sender shows it."""
        way, proof = self.way, self.way.prefix + self.signature
        if way.name == "stripe":
            proof = f"t={self.time},{proof}"
        shown = {way.proof: proof}
        if way.time:
            shown[way.time] = self.time
        if way.id:
            shown[way.id] = self.id
        return shown


def _decoded(secret: str) -> bytes:
    """Of a secret that is not base64, another way's, the text."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return secret.encode()
