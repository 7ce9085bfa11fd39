"""A token in, a record that carries it out; what a read found in, the tokens that it carries out."""

import hashlib
import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tests.chaos.campaign.history import Seen

#: Such as `zqb3n17`: tenant b, writer 3, its 17th write. One word in every store, and in no other text.
TOKEN: Final = re.compile(r"zq[a-z]\d+n\d+")
_WORDS: Final = (
    *("axle", "berth", "cargo", "depot", "engine", "freight", "gate", "harbour", "invoice", "junction"),
    *("kerb", "lorry", "manifest", "nozzle", "order", "pallet", "quay", "ramp", "seal", "trailer"),
)
_NOTE: Final = re.compile(r"note: ([a-z ]*)")
_DIGEST: Final = re.compile(r"digest: ([0-9a-f]{12})")


@dataclass(frozen=True)
class Item:
    """`turvo:CHS-A-H3`; the name of its entity is its external id."""

    source: str
    external_id: str

    @property
    def name(self) -> str:
        return f"{self.source}:{self.external_id}"

    @property
    def entity_type(self) -> str:
        return "shipment" if self.source == "turvo" else "message"


@dataclass(frozen=True)
class Write:
    """One content of one item. It may be sent more than once, under one key or several."""

    item: Item
    token: str
    as_of: str
    record: Mapping[str, Any]


def written(item: Item, token: str, at: datetime, chance: random.Random) -> Write:
    """A record with the token in its text and, where its source makes claims, in a claim."""
    note = " ".join(chance.choices(_WORDS, k=chance.randint(4, 24)))
    as_of = at.astimezone(UTC).isoformat()
    told = {"note": note, "digest": _digest(token, note)}
    if item.source == "frontapp":
        record = {
            "message_id": item.external_id,
            "subject": f"About {token}",
            "body": f"note: {note}\ndigest: {told['digest']}",
            "sender": f"Chaos <chaos-{chance.randint(1, 5)}@example.com>",
            "timestamp": as_of,
        }
    else:
        record = {
            "shipmentId": item.external_id,
            "customerName": f"Customer {chance.randint(1, 40)}",
            "status": token,
            "origin": {"city": f"City {chance.randint(1, 60)}", "state": "IL"},
            "destination": {"city": f"Town {chance.randint(1, 60)}", "state": "IN"},
            "updatedAt": as_of,
            **told,
        }
    return Write(item=item, token=token, as_of=as_of, record=record)


def seen_in_search(answer: Mapping[str, Any]) -> tuple[Seen, ...]:
    hits = tuple(_seen_in_hit(hit) for hit in answer["hits"])
    return hits + seen_in_facts(answer["facts"])


def seen_in_facts(facts: list[dict[str, Any]]) -> tuple[Seen, ...]:
    return tuple(
        Seen(
            item=f"{fact['source']}:{fact['external_id']}",
            version=fact["version"],
            token=fact["value"] if fact["predicate"] == "has_status" else "",
            part="fact",
            whole=fact["predicate"] != "has_status" or fact["value"] in fact["fact"],
        )
        for fact in facts
    )


def _seen_in_hit(hit: Mapping[str, Any]) -> Seen:
    text: str = hit["text"]
    token, note, digest = TOKEN.search(text), _NOTE.search(text), _DIGEST.search(text)
    whole = bool(token and note and digest and digest[1] == _digest(token[0], note[1].strip()))
    return Seen(
        item=f"{hit['source']}:{hit['external_id']}",
        version=hit["version"],
        token=token[0] if token else "",
        part="hit",
        whole=whole,
    )


def _digest(token: str, note: str) -> str:
    return hashlib.sha256(f"{token}|{note}".encode()).hexdigest()[:12]
