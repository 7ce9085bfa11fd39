"""Nothing in, the endpoints that are posted to and the deliveries that were recorded out."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.fuzz.oracle import Door
from tests.fuzz.ways import WAY_OF, Signed
from tests.fuzz.wire import Pair, Request
from tests.unit.api.fakes import ALICE, BOB

PAYLOADS = Path(__file__).parents[1] / "data" / "payloads"
#: What a delivery may hold here: the longest recording and half as much again.
MOST = 64 << 10
_SOURCES = ("samsara", "turvo", "frontapp", "own-wms")
_SOURCE_OF = {"samsara": "samsara", "front_application": "frontapp", "front_rule": "frontapp"}


@dataclass
class Draft:
    """A request in the making, which anybody on the way may spoil."""

    target: str
    headers: list[Pair]
    body: bytes
    signed: list[Signed] = field(default_factory=list[Signed])

    def request(self) -> Request:
        return Request("POST", self.target, tuple(self.headers), self.body)


@cache
def doors() -> dict[str, Door]:
    """By path: for every way one with two live secrets and one that is over, and another tenant's."""
    made: list[Door] = []
    for at, name in enumerate((*WAY_OF, "token")):
        ways = ("standard", "svix") if name in {"standard", "svix"} else (name,)
        source = _SOURCE_OF.get(name) or _SOURCES[at % len(_SOURCES)]
        shown = "whsec_" if name == "svix" else ""
        own, other, over = (shown + secret_of(f"{name} {which}") for which in ("own", "other", "over"))
        made += [
            Door(f"{name}-of-alice", ALICE, source, ways, (own, other), (over,)),
            Door(f"{name}-of-bob", BOB, source, ways, (secret_of(f"{name} bob"),)),
        ]
    made += [
        Door("recorded-samsara", ALICE, "samsara", ("samsara",), (_told("samsara")["secret_base64"],)),
        Door("recorded-turvo", ALICE, "turvo", ("token",), (_told("turvo")["bearer_token"],)),
        Door(
            "recorded-app", ALICE, "frontapp", ("front_application",), (_told("frontapp")["app_signing_key"],)
        ),
        Door("recorded-rule", BOB, "frontapp", ("front_rule",), (_told("frontapp")["rule_api_secret"],)),
        Door("closed", ALICE, "turvo", ("github",), (secret_of("closed"),), disabled=True),
    ]
    return {door.path: door for door in made}


def secret_of(of: str) -> str:
    """In base64, which is also a secret for those who take the text as it is."""
    return base64.b64encode(hashlib.sha256(of.encode()).digest()).decode()


@cache
def _told(source: str) -> dict[str, Any]:
    return json.loads((PAYLOADS / source / "deliveries.json").read_bytes())


@cache
def recordings() -> tuple[Draft, ...]:
    """Every recorded delivery at its door; what was signed with another key counts as unsigned."""
    at = {
        ("samsara", None): "recorded-samsara", ("turvo", None): "recorded-turvo",
        ("frontapp", "application"): "recorded-app", ("frontapp", "rule"): "recorded-rule",
    }  # fmt: skip
    by_id = {door.endpoint_id: door for door in doors().values()}
    made: list[Draft] = []
    for source in ("samsara", "turvo", "frontapp"):
        for told in _told(source)["deliveries"]:
            door = by_id[at[source, told.get("kind")]]
            body = (PAYLOADS / source / told["body_file"]).read_bytes()
            headers = [(name.encode(), value.encode()) for name, value in told["headers"].items()]
            shown = {name.lower(): value for name, value in told["headers"].items()}
            made.append(Draft(door.path, headers, body, _signed_of(door, shown, body)))
    return tuple(made)


def _signed_of(door: Door, shown: dict[str, str], body: bytes) -> list[Signed]:
    way = WAY_OF.get(door.ways[0])
    if way is None:
        return []
    time = shown.get(way.time or "", "0")
    [secret] = door.live
    signature = way.signature(secret, body, time=time, id="")
    known = shown[way.proof] == way.prefix + signature
    return [Signed(way, secret, body, time, "", signature)] if known else []


@cache
def bodies() -> tuple[bytes, ...]:
    files = sorted(PAYLOADS.rglob("*.json"))
    whole = [file.read_bytes() for file in files if file.name != "deliveries.json"]
    small = [b"", b"{}", b"[]", b"null", b'{"type":"sync"}', b'{"type":"url_verification","challenge":"c-1"}']
    return (*(body for body in whole if len(body) <= MOST), *small * 2)
