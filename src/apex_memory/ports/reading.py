"""A snapshot in, what was visible then out."""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from apex_memory.domain.answers import Candidate, EntityView, FactView, Hit, ItemView, SearchFilter


class Archive(Protocol):
    """The canonical content in PostgreSQL, read at a snapshot: the one place where visibility is decided."""

    name: str

    async def incomplete(self, tenant_id: str) -> Sequence[str]:
        """The stores that are being filled again, and until then may lack what was visible."""
        ...

    async def lexical(
        self, tenant_id: str, query: str, *, seq: int, limit: int, where: SearchFilter
    ) -> Sequence[Candidate]: ...

    async def visible_hits(
        self, tenant_id: str, candidates: Sequence[Candidate], *, seq: int, where: SearchFilter
    ) -> Sequence[Hit]:
        """Only what was visible at `seq`, with its text and entities, in the order of the candidates."""
        ...

    async def visible_facts(
        self, tenant_id: str, claim_ids: Sequence[UUID], *, seq: int
    ) -> Sequence[FactView]:
        """Only claims visible at `seq`, in the order given."""
        ...

    async def entity(self, tenant_id: str, entity_id: UUID, *, seq: int) -> EntityView:
        """Raises ItemNotFound: no visible version speaks of it."""
        ...

    async def entities_named(self, tenant_id: str, keys: Sequence[str], *, seq: int) -> Sequence[EntityView]:
        """The visible entities whose business key is one of `keys` (see `ids.entity_key`)."""
        ...

    async def same_as(
        self, tenant_id: str, entity_ids: Sequence[UUID], *, seq: int, limit: int
    ) -> Sequence[EntityView]:
        """What a visible claim says to be the same as one of them, in either direction, none of them itself.

        By id, so that it does not matter which claim came first.
        """
        ...

    async def said_of(
        self, tenant_id: str, entity_ids: Sequence[UUID], predicates: Sequence[str], *, seq: int, limit: int
    ) -> Sequence[FactView]:
        """The visible claims with one of these predicates about any of the entities, the newest first.

        At most `limit` a predicate. Of those that began at one moment, the order is that of what they say
        and who said it, not that of their arrival.
        """
        ...

    async def version(self, tenant_id: str, item_id: UUID, *, seq: int) -> int:
        """The item's version that is visible at `seq`. Raises ItemNotFound."""
        ...

    async def item(self, tenant_id: str, item_id: UUID, *, seq: int) -> ItemView:
        """Raises ItemNotFound."""
        ...

    async def items(self, tenant_id: str, item_ids: Sequence[UUID], *, seq: int) -> Sequence[ItemView]:
        """Those of them that are visible at `seq`, in any order."""
        ...
