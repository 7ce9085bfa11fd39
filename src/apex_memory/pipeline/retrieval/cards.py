"""An item's version in, its card out of the cache; a version never changes, nor does its card."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from apex_memory.domain.answers import ItemView
from apex_memory.domain.cached import card_key
from apex_memory.ports import Cache

#: A card never goes stale; the time only bounds memory.
_TTL_S: Final = 3_600


class Cards:
    """Spares PostgreSQL the counting of a version's chunks and claims. Cache down: every look is a miss."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def get(self, tenant_id: str, item_id: UUID, version: int) -> ItemView | None:
        kept = await self._cache.get(tenant_id, card_key(item_id, version))
        if kept is None:
            return None
        try:
            return ItemView.model_validate_json(kept)
        except ValidationError:
            # Written by another release: a miss.
            return None

    async def put(self, tenant_id: str, cards: Sequence[ItemView]) -> bool:
        """False: not every one was kept."""
        values = {card_key(card.item_id, card.version): card.model_dump_json().encode() for card in cards}
        return await self._cache.put_all(tenant_id, values, ttl_s=_TTL_S)
