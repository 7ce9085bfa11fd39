"""A tenant and a source's name in, how that source's records are read out."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from apex_memory.domain.mappings import Declaration, DeclaredMapping, RecordMapping
from apex_memory.ports.content import Source

#: A tenant's source by its name: one of ours, or one of its own by the mapping that is in force now.
#: Raises RecordRejected: there is none by this name, nor can there be.
SourceOf = Callable[[str, str], Awaitable[Source]]


class Mappings(Protocol):
    """What tenants have declared of sources of their own."""

    async def put(self, tenant_id: str, source: str, mapping: RecordMapping) -> DeclaredMapping:
        """From now on this one: for what is processed later, whenever it was taken in."""
        ...

    async def get(self, tenant_id: str, source: str) -> DeclaredMapping | None: ...

    async def listed(self, tenant_id: str) -> Sequence[Declaration]:
        """By name."""
        ...

    async def remove(self, tenant_id: str, source: str) -> None:
        """What was remembered by it stays. Raises ItemNotFound."""
        ...
