"""Visible facts and entities in, the facts that hang together with those entities out; pure."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from apex_memory.domain.answers import FactView, Hit

STEPS: Final = 2


def reached(facts: Sequence[FactView], seeds: Iterable[UUID]) -> tuple[FactView, ...]:
    """The facts within `STEPS` of the seeds over facts alone, nearest first, otherwise in the order given.

    A path holds only if each of its claims does. The graph walks over claims of any version, so a visible
    claim may have been reached over one that is not: what hangs on that alone is left out.
    """
    found: dict[UUID, FactView] = {}
    known = set(seeds)
    for _ in range(STEPS):
        touching = [fact for fact in facts if not known.isdisjoint(ends(fact))]
        found.update((fact.claim_id, fact) for fact in touching if fact.claim_id not in found)
        known.update(end for fact in touching for end in ends(fact))
    return tuple(found.values())


def most_relevant_first(
    facts: Iterable[FactView], *, named: Collection[UUID], hits: Sequence[Hit]
) -> tuple[FactView, ...]:
    """First what touches a named entity, then what a hit says or is about, then the rest, each in order."""
    about = {entity.entity_id for hit in hits for entity in hit.entities}
    said_by = {(hit.item_id, hit.version) for hit in hits}

    def distance(fact: FactView) -> int:
        if not ends(fact).isdisjoint(named):
            return 0
        return 1 if (fact.item_id, fact.version) in said_by or not ends(fact).isdisjoint(about) else 2

    return tuple(sorted(facts, key=distance))


def ends(fact: FactView) -> frozenset[UUID]:
    """The one or two entities that a fact joins."""
    return frozenset(end.entity_id for end in (fact.subject, fact.object) if end)
