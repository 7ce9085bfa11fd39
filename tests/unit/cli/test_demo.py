"""The demonstration against an API whose memory is in this process, whole and while it stumbles."""

from typing import Any

import orjson
import pytest
from tests.unit.api.fakes import MemoryInbox
from tests.unit.api.world import World
from tests.unit.cli.conftest import Apex

from apex_memory.cli import demo_run
from apex_memory.cli.demo_items import demonstration
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.ledger import Accepted, InboxEvent, Outcome

EVENTS = {
    ("samsara", "TRUCK-6520@2025-10-19T14:23:00Z"),
    ("turvo", "SHIP-2025-10-19-002"),
    ("frontapp", "MSG-2025-10-19-003"),
}


def reported(stdout: str) -> dict[str, Any]:
    (line,) = stdout.splitlines()
    return orjson.loads(line)


async def test_everything_is_found_and_one_answer_joins_message_shipment_and_customer(apex: Apex) -> None:
    result = await apex("demo", "--json")

    report = reported(result.stdout)
    assert result.exit_code == 0
    assert set(report) == {"items", "search", "graph", "temporal_ui", "api"}
    assert {(item["source"], item["external_id"]) for item in report["items"]} >= EVENTS
    assert {item["outcome"] for item in report["items"]} == {"committed"}
    assert all(item["searchable_ms"] > 0 for item in report["items"])
    facts = {(f["subject"], f["predicate"], f["object"]) for f in report["search"]["facts"]}
    assert ("MSG-2025-10-19-003", "mentions", "SHIP-2025-10-19-002") in facts
    assert ("SHIP-2025-10-19-002", "has_customer", "Acme Manufacturing Corp") in facts
    assert any(fact["subject"] == "SHIP-2025-10-19-002" for fact in report["graph"])
    assert report["api"].endswith("/docs")


async def test_run_again_everything_is_unchanged(apex: Apex) -> None:
    await apex("demo", "--json")

    report = reported((await apex("demo", "--json")).stdout)

    assert {item["outcome"] for item in report["items"]} == {"unchanged"}


async def test_run_fresh_everything_is_new_and_joined_among_itself(apex: Apex) -> None:
    before = reported((await apex("demo", "--json")).stdout)

    report = reported((await apex("demo", "--fresh", "--json")).stdout)

    assert {item["outcome"] for item in report["items"]} == {"committed"}
    assert not _ids(report) & _ids(before)
    (shipment,) = (item["external_id"] for item in report["items"] if item["source"] == "turvo")
    assert any(fact["subject"] == shipment for fact in report["graph"])


async def test_a_person_reads_tables_the_answer_and_where_to_look_next(apex: Apex) -> None:
    result = await apex("demo")

    assert result.exit_code == 0
    for shown in ("searchable after", "Which customer", "Acme Manufacturing Corp", "/docs"):
        assert shown in result.stdout


async def test_an_outage_meanwhile_is_waited_out(apex: Apex, world: World) -> None:
    accept, failures = world.inbox.accept, [StoreUnavailable("postgres", "restarting")] * 2

    async def stumbling(event: InboxEvent) -> Accepted:
        accepted = await accept(event)
        if failures:
            raise failures.pop()
        return accepted

    world.inbox.accept = stumbling

    result = await apex("demo", "--json")

    assert result.exit_code == 0
    assert len(world.inbox.events) == len(demonstration(fresh=False).items)


async def test_an_item_that_is_never_found_ends_it_with_1(
    apex: Apex, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_run, "FINDABLE_S", 0.2)

    async def forgetting(event: InboxEvent) -> Accepted:
        accepted = await MemoryInbox.accept(world.inbox, event)
        await world.inbox.finish(event, outcome=Outcome.COMMITTED)
        return accepted

    world.inbox.accept = forgetting

    result = await apex("demo", "--json")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "samsara did not become findable" in result.stderr


async def test_an_item_that_is_not_kept_ends_it_with_its_reason(apex: Apex, world: World) -> None:
    async def quarantine(event: InboxEvent) -> Accepted:
        accepted = await MemoryInbox.accept(world.inbox, event)
        await world.inbox.finish(event, outcome=Outcome.QUARANTINED, reason="no such place")
        return accepted

    world.inbox.accept = quarantine

    result = await apex("demo", "--json")

    assert result.exit_code == 1
    assert "quarantined: no such place" in result.stderr


def test_the_data_is_the_same_each_time_unless_fresh() -> None:
    assert demonstration(fresh=False) == demonstration(fresh=False)
    assert demonstration(fresh=True) != demonstration(fresh=True)


def _ids(report: dict[str, Any]) -> set[str]:
    return {item["external_id"] for item in report["items"]}
