"""Bundles as rows: sorted, in one spelling, at one offset, and nothing that is not the graph's."""

from datetime import UTC, datetime, timedelta, timezone

from tests.contracts.writes import NOON, SHIPMENT, VEHICLE, bare, message, write_of

from apex_memory.domain.bundles import Claim, EntityRef, Mention, Sample
from apex_memory.pipeline.stores.neo4j import rows

LATER = datetime(2025, 10, 19, 20, tzinfo=timezone(timedelta(hours=5)))


def test_entities_of_all_writes_come_once_and_sorted() -> None:
    writes = [write_of("acme", message(f"msg-{n}")) for n in range(9)]

    entity_ids = [row["entity_id"] for row in rows.entity_rows(writes)]

    assert entity_ids == sorted(map(str, {w.entity_id(e) for w in writes for e in w.entities}))


def test_an_entity_has_the_one_spelling_of_its_key() -> None:
    shouted = message(shipment=EntityRef(type="shipment", key="  ship-2025-10-19-002"))
    writes = [write_of("acme", message()), write_of("acme", shouted)]

    keys = [row["key"] for row in rows.entity_rows(writes) if row["type"] == "shipment"]

    assert keys == ["ship-2025-10-19-002"]


def test_an_entity_of_samples_alone_is_not_the_graphs() -> None:
    sample = Sample(entity=VEHICLE, metric="speed_kmh", at=NOON, value=0.0)
    sampled = bare().model_copy(update={"samples": (sample,)})

    assert rows.entity_rows([write_of("acme", sampled)]) == []


def test_a_claim_without_a_time_holds_from_the_time_of_its_item() -> None:
    write = write_of("acme", message())

    assert {row["valid_from"] for row in rows.statement_rows([write])} == {NOON}


def test_times_are_kept_at_one_offset() -> None:
    claim = Claim(subject=VEHICLE, predicate="carries", object=SHIPMENT, fact="…", valid_from=LATER)
    mentions = tuple(Mention(entity=entity, name=entity.key) for entity in (VEHICLE, SHIPMENT))
    write = write_of("acme", bare().model_copy(update={"claims": (claim,), "mentions": mentions}))

    (row,) = rows.relation_rows([write])

    assert repr(row["valid_from"]) == repr(LATER.astimezone(UTC))


def test_the_episode_counts_even_if_it_says_nothing() -> None:
    first, second = (write_of("acme", bare(), version=version) for version in (1, 2))

    assert len(rows.part_ids(first)) == 1
    assert rows.part_ids(first) != rows.part_ids(second)
