"""Facts in, the shortest chain of them from a first entity to one of a wanted type out."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from apex_memory.domain.answers import EntityView, FactView

Chain = tuple[FactView, ...]


def chain_to(type_: str, facts: Sequence[FactView], *, start: UUID) -> Chain:
    """The facts that lead from `start` to the nearest entity of that type; empty if none do."""
    chains: dict[UUID, Chain] = {start: ()}
    reached = [start]
    for here in reached:
        for entity, fact in _neighbours(here, facts).items():
            if entity.entity_id in chains:
                continue
            chains[entity.entity_id] = (*chains[here], fact)
            if entity.type == type_:
                return chains[entity.entity_id]
            reached.append(entity.entity_id)
    return ()


def _neighbours(here: UUID, facts: Sequence[FactView]) -> Mapping[EntityView, FactView]:
    found: dict[EntityView, FactView] = {}
    for fact in facts:
        if fact.object and fact.subject.entity_id == here:
            found.setdefault(fact.object, fact)
        elif fact.object and fact.object.entity_id == here:
            found.setdefault(fact.subject, fact)
    return found
