"""A source's name in, the source out; every source is listed here."""

from typing import Final

from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline.sources.frontapp import Frontapp
from apex_memory.pipeline.sources.samsara import Samsara
from apex_memory.pipeline.sources.turvo import Turvo
from apex_memory.ports import Source

SOURCES: Final[tuple[Source, ...]] = (Frontapp(), Samsara(), Turvo())


def source_named(name: str) -> Source:
    """Raises RecordRejected: nothing by this name; says which names there are."""
    for source in SOURCES:
        if source.name == name:
            return source
    known = ", ".join(source.name for source in SOURCES)
    raise RecordRejected(name, "", f"no such source; known are {known}")
