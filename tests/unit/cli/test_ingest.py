"""Folders sent through the API, and the table of what became of them."""

from pathlib import Path

import orjson
from tests.unit.api.fakes import MemoryInbox
from tests.unit.api.world import SHIPMENT, World
from tests.unit.cli.conftest import Apex

from apex_memory.domain.ledger import Accepted, InboxEvent, Outcome


def folder(path: Path, *, documents: int) -> Path:
    for n in range(documents):
        (path / f"note-{n}.md").write_text(f"# Note {n}\n\nTRUCK-{n} waits at door {n}.\n")
    return path


async def test_a_folder_is_kept_and_sent_again_it_is_unchanged(apex: Apex, tmp_path: Path) -> None:
    folder(tmp_path, documents=3)

    first, again = await apex("ingest", str(tmp_path)), await apex("ingest", str(tmp_path))

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert first.stdout.split() == ["committed", "3"]
    assert again.stdout.split() == ["unchanged", "3"]


async def test_records_are_sent_as_their_source(apex: Apex, world: World, tmp_path: Path) -> None:
    (tmp_path / "shipments.json").write_bytes(orjson.dumps([SHIPMENT, {**SHIPMENT, "shipmentId": "SHIP-9"}]))

    result = await apex("ingest", str(tmp_path), "--source", "turvo")

    assert result.exit_code == 0
    assert {event.label for event in world.inbox.events.values()} == {"SHIP-2025-10-19-002", "SHIP-9"}


async def test_what_is_not_kept_is_named_with_its_reason_and_the_rest_goes_on(
    apex: Apex, tmp_path: Path
) -> None:
    folder(tmp_path, documents=2)
    (tmp_path / "empty.md").write_bytes(b"")
    (tmp_path / "huge.md").write_bytes(b"x" * 10_000)
    (tmp_path / "picture.png").write_bytes(b"x")

    result = await apex("ingest", str(tmp_path), str(tmp_path / "picture.png"))

    lines = {line.split()[1]: line for line in result.stdout.splitlines() if ":" in line}
    assert result.exit_code == 1
    assert "committed 2" in " ".join(result.stdout.split())
    assert "the file is empty" in result.stdout
    assert "at most 8192" in lines["huge.md:"]
    assert "unsupported format" in lines["picture.png:"]


async def test_a_quarantined_record_ends_with_1(apex: Apex, world: World, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps(SHIPMENT))

    async def quarantine(event: InboxEvent) -> Accepted:
        accepted = await MemoryInbox.accept(world.inbox, event)
        await world.inbox.finish(event, outcome=Outcome.QUARANTINED, reason="it names no place")
        return accepted

    world.inbox.accept = quarantine

    result = await apex("ingest", str(tmp_path), "--source", "turvo")

    assert result.exit_code == 1
    assert "a.json: it names no place" in result.stdout
