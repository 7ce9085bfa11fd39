"""The folder of sources against the list of sources."""

import pkgutil

import pytest

from apex_memory.domain.errors import RecordRejected
from apex_memory.pipeline import sources
from apex_memory.pipeline.sources.registry import SOURCES, source_named


def test_every_source_module_is_registered_under_its_name() -> None:
    modules = {module.name for module in pkgutil.iter_modules(sources.__path__) if module.name[0] != "_"}

    ours = modules - {"registry", "feeds", "mapped"}  # which feeds they have; whose names are the tenants'
    assert {type(source).__module__.rpartition(".")[2] for source in SOURCES} == ours
    assert {source.name for source in SOURCES} == ours


def test_a_source_is_found_by_its_name() -> None:
    assert [source_named(source.name) for source in SOURCES] == list(SOURCES)


@pytest.mark.parametrize("name", ["", "Samsara", "acme", "_fields"])
def test_an_unknown_source_is_rejected_with_the_names_there_are(name: str) -> None:
    with pytest.raises(RecordRejected, match="known are frontapp, samsara, turvo"):
        source_named(name)
