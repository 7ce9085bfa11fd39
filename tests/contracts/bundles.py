"""Nothing in, bundles that hold whatever the stores can hold out: strategies for properties."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention, Sample
from apex_memory.domain.documents import Passage

# What no source lets through, because PostgreSQL does not keep it.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
# Ligatures, stacked marks, two spellings of one key, and keys beyond the length that is kept.
HOSTILE = ["OpenHaul 247", "OPENHAUL  247", "ﷺ" * 90, "ΐ\u0323\u0301", "ﬁ K", "x" * 700, "e\u0301" * 300]
KEYS = st.sampled_from(HOSTILE) | TEXTS
ENTITIES = st.builds(EntityRef, type=st.sampled_from(["vehicle", "shipment", "place"]), key=KEYS)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-6)), timezone(timedelta(hours=5, minutes=30))])
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=ZONES)  # noqa: DTZ001 - the bounds must be naive
MAYBE = st.none()
WHOLE = st.integers(0, 2**31 - 1)


@st.composite
def bundles(draw: st.DrawFn) -> Bundle:
    named = draw(st.lists(ENTITIES, max_size=4))
    return Bundle(
        source="frontapp",
        external_id=draw(TEXTS),
        kind=draw(st.sampled_from(["record", "document"])),
        title=draw(TEXTS),
        as_of=draw(MOMENTS),
        passages=tuple(draw(st.lists(_passages(), max_size=4))),
        mentions=tuple(Mention(entity=entity, name=draw(TEXTS)) for entity in named),
        claims=tuple(draw(st.lists(_claims(named), max_size=4))) if named else (),
        samples=tuple(draw(st.lists(_samples(named), max_size=3))) if named else (),
    )


def _passages() -> st.SearchStrategy[Passage]:
    headings = st.lists(TEXTS, max_size=3).map(tuple)
    return st.builds(
        Passage,
        ordinal=WHOLE,
        text=TEXTS,
        heading_path=headings,
        start=WHOLE,
        end=WHOLE,
        page=MAYBE | WHOLE,
    )


@st.composite
def _claims(draw: st.DrawFn, named: list[EntityRef]) -> Claim:
    entities = st.sampled_from(named)
    said: dict[str, Any] = draw(
        st.fixed_dictionaries({"object": entities}) | st.fixed_dictionaries({"value": TEXTS})
    )
    return Claim(
        subject=draw(entities),
        predicate=draw(TEXTS),
        fact=draw(TEXTS),
        valid_from=draw(MAYBE | MOMENTS),
        valid_to=draw(MAYBE | MOMENTS),
        confidence=draw(st.floats(0, 1)),
        passage=draw(MAYBE | WHOLE),
        **said,
    )


def _samples(named: list[EntityRef]) -> st.SearchStrategy[Sample]:
    return st.builds(
        Sample,
        entity=st.sampled_from(named),
        metric=TEXTS,
        at=MOMENTS,
        value=st.floats(allow_nan=False),
    )
