"""Tenants' mappings in, each tenant's sources by their names out: ours, and those that are its own."""

from apex_memory.domain.errors import RecordRejected
from apex_memory.domain.mappings import OWN_NAME, may_be_own
from apex_memory.pipeline.sources.mapped import MappedSource
from apex_memory.pipeline.sources.registry import SOURCES, source_named
from apex_memory.ports import Mappings, Source, SourceOf


def sources_with(mappings: Mappings) -> SourceOf:
    """Asked once a batch or request, and remembered nowhere: a mapping holds from when it was put."""

    async def source_of(tenant_id: str, name: str) -> Source:
        if is_built_in(name):
            return source_named(name)
        if not may_be_own(name):
            raise RecordRejected(name, "", f"no such source; {names_there_are()}")
        declared = await mappings.get(tenant_id, name)
        return MappedSource(name, declared.mapping if declared else None)

    return source_of


def is_built_in(name: str) -> bool:
    return any(source.name == name for source in SOURCES)


def names_there_are() -> str:
    """For people who chose another."""
    known = ", ".join(source.name for source in SOURCES)
    return (
        f"known are {known}, and names of your own such as crm or web-shop ({OWN_NAME}) that are not reserved"
    )
