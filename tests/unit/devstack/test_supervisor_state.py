"""What outlives a supervisor: its state, its ports, and processes that must not be mistaken for others."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.unit.devstack.tiny import WatchedJournal

from apex_memory.devstack.assembly import stop_leftovers
from apex_memory.devstack.loopback import HOST, assign_ports, is_free
from apex_memory.devstack.processes import ProcessIdentity, ended, identify, is_alive, signal_process, stop
from apex_memory.devstack.state import Phase, ServiceState, StackState, read_state


@pytest.fixture
async def bystander() -> AsyncGenerator[ProcessIdentity]:
    """A process that has nothing to do with us."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-S", "-E", "-c", "import signal; signal.pause()"
    )
    identity = identify(process.pid)
    assert identity
    yield identity
    if process.returncode is None:
        process.kill()
    await process.wait()


def in_an_earlier_life(identity: ProcessIdentity) -> ProcessIdentity:
    return identity.model_copy(update={"started": "another-boot:17"})


async def test_a_pid_that_is_someone_elses_now_is_not_alive(bystander: ProcessIdentity) -> None:
    assert is_alive(bystander)
    assert not is_alive(in_an_earlier_life(bystander))


async def test_a_pid_that_is_someone_elses_now_is_never_signalled(bystander: ProcessIdentity) -> None:
    stale = in_an_earlier_life(bystander)

    signal_process(stale, signal.SIGKILL)
    await stop(stale, first=signal.SIGKILL)

    assert is_alive(bystander)


async def test_leftovers_are_stopped_by_pid_and_start_time(bystander: ProcessIdentity) -> None:
    stale = StackState(services={"redis": ServiceState(process=in_an_earlier_life(bystander))})
    true = StackState(services={"redis": ServiceState(process=bystander)})

    assert await stop_leftovers(stale) == []
    assert is_alive(bystander)
    assert await stop_leftovers(true) == ["redis"]
    assert not is_alive(bystander)


async def test_a_process_that_ended_but_was_not_reaped_counts_as_gone(bystander: ProcessIdentity) -> None:
    signal_process(bystander, signal.SIGKILL)

    assert await ended(bystander, within_s=10)
    assert not is_alive(bystander)


async def test_the_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    journal = WatchedJournal(tmp_path / "state.json")

    journal.note(phase=Phase.READY, ports={"redis": 20001}, supervisor=ProcessIdentity(pid=1, started="x:1"))
    journal.note_service("redis", Phase.READY, took_s=0.5)

    assert read_state(tmp_path / "state.json") == journal.state


async def test_a_service_keeps_what_a_change_does_not_name(tmp_path: Path) -> None:
    journal = WatchedJournal(tmp_path / "state.json")
    journal.note_service("redis", Phase.READY, took_s=0.5, restarts=2)

    journal.note_service("redis", Phase.STOPPED)

    assert journal.state.services["redis"].took_s == 0.5
    assert journal.state.services["redis"].restarts == 2


def test_a_state_with_fields_of_another_version_can_be_read(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text(json.dumps({"phase": "ready", "colour": "red", "services": {"redis": {"mood": "fine"}}}))

    assert read_state(file).phase is Phase.READY


def test_a_home_without_a_state_is_a_stopped_stack(tmp_path: Path) -> None:
    assert read_state(tmp_path / "state.json") == StackState(phase=Phase.STOPPED)


def test_ports_are_kept() -> None:
    first = assign_ports(["redis", "postgres"], kept={})

    assert assign_ports(["redis", "postgres", "neo4j"], kept=first).items() >= first.items()


def test_a_kept_port_that_someone_else_took_is_replaced() -> None:
    with socket.create_server((HOST, 0)) as taker:
        taken = taker.getsockname()[1]

        assigned = assign_ports(["redis"], kept={"redis": taken})

    assert assigned["redis"] != taken
    assert is_free(assigned["redis"])


def test_no_two_services_share_a_port() -> None:
    assigned = assign_ports(["a", "b"], kept={"a": 20001, "b": 20001})

    assert len(set(assigned.values())) == 2


def test_ports_are_none_that_the_kernel_gives_to_clients() -> None:
    lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())

    assigned = assign_ports([f"service-{n}" for n in range(50)], kept={})

    assert not any(lowest <= port <= highest for port in assigned.values())
