"""Failpoints: off unless they are specified, exact where they are planned, repeated by a seed elsewhere."""

import ast
import asyncio
import re
import signal
import sys
from collections.abc import Awaitable, Sequence
from functools import cache
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs
from tests.contracts.writes import message, write_of

import apex_memory
from apex_memory import ports
from apex_memory.domain.bundles import VersionedBundle
from apex_memory.domain.errors import SettingMissing, StoreUnavailable
from apex_memory.failpoints import BOUNDARIES, POINTS, Action, Failpoints, methods_of, with_failpoints
from apex_memory.ports import Store
from apex_memory.testing import MemoryStaging, MemoryStore

PACKAGE = Path(apex_memory.__file__).parent
TENANT = "t"
#: An outage of cache or leases is no error; nobody awaits the others.
NO_BOUNDARY = {"Cache", "Chunker", "Extractor", "Leases", "Parser", "Scheme", "Source", "SourceOf"}

boundaries = pytest.mark.parametrize("boundary", BOUNDARIES)


def _write(name: str = "msg-1") -> VersionedBundle:
    return write_of(TENANT, message(name))


def _store(specification: str) -> Store:
    return with_failpoints("qdrant", MemoryStore("qdrant"), specification)


async def _fails(call: Awaitable[object]) -> bool:
    try:
        await call
    except StoreUnavailable:
        return True
    return False


async def _held(store: Store, write: VersionedBundle) -> int:
    return (await store.read_back(TENANT, [write.ref]))[write.ref].count


def test_without_a_specification_a_port_is_itself() -> None:
    store = MemoryStore("qdrant")

    assert with_failpoints("qdrant", store, "") is store


def test_what_is_not_awaited_is_as_it_was() -> None:
    store, write = _store("rate=1;seed=1"), _write()

    assert store.name == "qdrant"
    assert store.parts(write) == MemoryStore("qdrant").parts(write)


async def test_a_refused_call_is_not_made() -> None:
    store, write = _store("qdrant.prepare.before=refuse"), _write()

    assert await _fails(store.prepare([write]))
    assert await _held(store, write) == 0


async def test_a_call_whose_answer_is_lost_was_made() -> None:
    store, write = _store("qdrant.prepare.after=lose"), _write()

    assert await _fails(store.prepare([write]))
    assert await _held(store, write) == len(store.parts(write))


async def test_a_call_that_is_made_partly_leaves_some_of_a_single_version_and_some_of_several() -> None:
    store, one = _store("qdrant.prepare.before=partly@1-2;qdrant.discard.before=partly"), _write()
    two, three = _write("msg-2"), _write("msg-3")

    assert await _fails(store.prepare([one]))
    assert await _fails(store.prepare([two, three]))

    full = len(store.parts(one))
    assert 0 < await _held(store, one) < full
    assert 0 < await _held(store, two) < full
    assert await _held(store, three) == 0
    assert await _fails(store.discard(TENANT, [one.ref, two.ref]))
    assert (await _held(store, one), await _held(store, two) > 0) == (0, True)


@pytest.mark.parametrize(("plan", "failing"), [("refuse", [1]), ("refuse@3", [3]), ("refuse@2-4", [2, 3, 4])])
async def test_a_plan_names_the_hits_that_it_is_for(plan: str, failing: Sequence[int]) -> None:
    store = _store(f"qdrant.ping.before={plan}")

    failed = [hit for hit in range(1, 7) if await _fails(store.ping())]

    assert failed == failing


async def test_a_delayed_call_is_made_and_answers() -> None:
    store, write = _store("qdrant.prepare.before=delay:0.01;qdrant.prepare.after=delay:0"), _write()

    await store.prepare([write])

    assert await _held(store, write) == len(store.parts(write))


async def test_a_cancel_ends_a_delay() -> None:
    store = _store("qdrant.ping.before=delay:3600")
    waiting = asyncio.create_task(store.ping())
    await asyncio.sleep(0)

    waiting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize(("moment", "written"), [("before", "ab"), ("after", "abc")])
async def test_a_kill_ends_the_process_exactly_there(tmp_path: Path, moment: str, written: str) -> None:
    program = f"""
import asyncio, pathlib
from apex_memory.failpoints import with_failpoints
class Area:
    async def write(self, key, data):
        with open(key, "ab") as file: file.write(data)
async def main():
    area = with_failpoints("staging", Area(), "staging.write.{moment}=kill@3")
    for byte in (b"a", b"b", b"c", b"d"): await area.write({str(tmp_path / "out")!r}, byte)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )

    said, _ = await process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert (tmp_path / "out").read_text() == written
    assert b"failpoint.reached" in said


async def test_every_firing_is_logged_with_point_action_and_hit() -> None:
    store = _store("qdrant.ping.after=lose@2")

    with capture_logs([structlog.contextvars.merge_contextvars]) as logged:
        [await _fails(store.ping()) for _ in range(3)]

    fired = [line for line in logged if line["event"] == "failpoint.reached"]
    assert [(f["point"], f["action"], f["hit"]) for f in fired] == [("qdrant.ping.after", "lose", 2)]


async def _pings(specification: str, *, others: int = 0) -> list[bool]:
    store = _store(specification)
    failed: list[bool] = []
    for _ in range(200):
        failed.append(await _fails(store.ping()))
        for _ in range(others):
            await _fails(store.ensure())
    return failed


async def test_a_seed_and_a_life_repeat_what_chance_decides_whatever_is_called_in_between() -> None:
    specification = "seed=7;life=1;rate=0.1;actions=refuse"

    failed = await _pings(specification)

    assert 5 <= sum(failed) <= 40
    assert await _pings(specification, others=2) == failed
    assert await _pings(specification.replace("seed=7", "seed=8")) != failed
    assert await _pings(specification.replace("life=1", "life=2")) != failed


async def test_chance_stays_within_the_points_and_the_actions_that_are_named() -> None:
    store, write = _store("seed=1;rate=1;actions=lose;points=qdrant.prepare.*"), _write()

    assert await _fails(store.prepare([write]))
    assert await _held(store, write) == len(store.parts(write))
    assert not await _fails(store.ping())


async def test_a_plan_goes_before_chance() -> None:
    store = _store("seed=1;rate=1;actions=refuse;qdrant.ping.before=delay:0@2")

    assert [await _fails(store.ping()) for _ in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("specification", "told"),
    [
        ("ledger.comit.after=kill", "ledger.commit.after"),
        ("lodger.commit.after=kill", "ledger"),
        ("seed=1;rate=0.1;points=qdrant.prepair.*", "qdrant.prepare.before"),
        ("ledger.commit.after=refuse", "lose"),
        ("ledger.commit.before=partly", "refuse"),
        ("ledger.commit.before=explode", "explode"),
        ("ledger.commit.before=kill@often", "often"),
        ("seed=1;rate=a lot", "a lot"),
        ("rate=0.1", "seed="),
    ],
)
def test_what_is_not_understood_ends_the_start_and_says_what_could_stand_there(
    specification: str, told: str
) -> None:
    with pytest.raises(SettingMissing) as caught:
        Failpoints.parse(specification)

    assert "APEX_FAILPOINTS" in str(caught.value)
    assert told in str(caught.value)


def test_every_port_with_an_awaitable_method_is_a_boundary() -> None:
    guarded = {port.__name__ for of_boundary in BOUNDARIES.values() for port in of_boundary}

    assert guarded == set(ports.__all__) - NO_BOUNDARY


@boundaries
def test_a_boundary_is_wired_where_the_product_opens_its_ports(boundary: str) -> None:
    wired = {
        ast.unparse(node.args[0])
        for node in _nodes()
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == with_failpoints.__name__
    }
    name = "store.name" if Store in BOUNDARIES[boundary] else repr(boundary)

    assert name in wired


@boundaries
def test_every_point_is_reached_by_the_product(boundary: str) -> None:
    named = {node.attr for node in _nodes() if isinstance(node, ast.Attribute)}

    assert set(methods_of(boundary)) <= named
    assert [p for p in POINTS if p.startswith(f"{boundary}.")]


def test_the_documents_list_every_boundary_and_every_action() -> None:
    operations = (PACKAGE.parent.parent / "docs" / "operations.md").read_text()
    section = operations.partition("\n## Failpoints\n")[2].partition("\n## ")[0]

    listed = re.findall(
        r"`([a-z0-9]+)(?::SECONDS)?`", "".join(re.findall(r"^\| [^|]+ \|", section, re.MULTILINE))
    )

    assert sorted(listed) == sorted([*BOUNDARIES, *Action])


async def test_a_boundary_keeps_apart_the_hits_of_two_ports() -> None:
    first, second = (
        with_failpoints("staging", MemoryStaging(), "staging.write.before=refuse@2") for _ in "ab"
    )

    failed = [await _fails(area.write("t/s/d/n", b"")) for area in (first, second, first, second)]

    assert failed == [False, False, True, True]


@cache
def _nodes() -> Sequence[ast.AST]:
    """Of everything but the failpoints themselves."""
    modules = [module for module in PACKAGE.rglob("*.py") if "failpoints" not in module.parts]
    return [node for module in modules for node in ast.walk(ast.parse(module.read_text()))]
