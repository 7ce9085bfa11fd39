"""An entity in, what else it is called and how it stands out, in whatever order that was heard of."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from apex_memory.domain.answers import EntityView, FactView
from apex_memory.pipeline.retrieval.deadline import Deadline
from apex_memory.ports import Archive

#: A thing has one value of each at a time: the one that began last.
FUNCTIONAL: Final = ("has_status", "located_at")
MAX_ALIASES: Final = 8
#: What is the same as an alias is an alias too; what is the same as that is left out.
MAX_STEPS: Final = 2


class StandingSearch:
    """Functional predicates of a thing, under all of its names. PostgreSQL alone is asked."""

    def __init__(self, archive: Archive, *, deadline_s: float) -> None:
        self._archive = archive
        self._deadline_s = deadline_s

    async def aliases(self, tenant_id: str, entity_id: UUID, *, seq: int) -> tuple[EntityView, ...]:
        """Entities that visible claims join with it as the same thing, nearest first: at most `MAX_ALIASES`.

        Raises:
            StoreUnavailable: under the archive's name.
        """
        aliases: dict[UUID, EntityView] = {}
        frontier: Sequence[UUID] = [entity_id]
        for _ in range(MAX_STEPS):
            # The entity itself comes again, as an alias of its aliases.
            search = self._archive.same_as(tenant_id, frontier, seq=seq, limit=MAX_ALIASES + 1)
            found = await Deadline(self._deadline_s).keep(self._archive.name, search)
            others = [one for one in found if one.entity_id != entity_id][: MAX_ALIASES - len(aliases)]
            aliases.update((one.entity_id, one) for one in others)
            frontier = [one.entity_id for one in others]
            if not frontier or len(aliases) == MAX_ALIASES:
                break
        return tuple(aliases.values())

    async def timeline(
        self, tenant_id: str, entity_ids: Sequence[UUID], *, seq: int, limit: int
    ) -> tuple[FactView, ...]:
        """What was said of the thing under any of these names, the newest first, at most `limit` a predicate.

        Raises:
            StoreUnavailable: under the archive's name.
        """
        search = self._archive.said_of(tenant_id, entity_ids, FUNCTIONAL, seq=seq, limit=limit)
        return tuple(await Deadline(self._deadline_s).keep(self._archive.name, search))


def current(timeline: Sequence[FactView]) -> tuple[FactView, ...]:
    """The newest fact of each predicate; a timeline is in that order."""
    newest: dict[str, FactView] = {}
    for fact in timeline:
        newest.setdefault(fact.predicate, fact)
    return tuple(newest.values())
