"""Services that are started, watched and stopped, with processes of a few lines instead of databases."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from tests.unit.devstack.tiny import kill, listener, script, supervisor_in

from apex_memory.devstack.loopback import assign_ports
from apex_memory.devstack.processes import ProcessIdentity, ended, identify, is_alive
from apex_memory.devstack.service import Service, ServiceFailed
from apex_memory.devstack.state import Phase
from apex_memory.domain.errors import StoreUnavailable

FOREVER = "import signal\nsignal.pause()"
STUBBORN = """
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open("deaf", "w")
while True:
    signal.pause()
"""
SHY = """
import os, signal, sys
tries = len(os.listdir("."))
open(f"try{tries}", "w")
if tries < 4:
    sys.exit(1)
signal.pause()
"""
ORPHAN_MAKER = """
import signal, subprocess, sys
child = subprocess.Popen([sys.executable, "-S", "-E", "-c", "import signal; signal.pause()"])
open(sys.argv[1], "w").write(str(child.pid))
signal.pause()
"""
PARENT = """
import asyncio, pathlib, sys
from apex_memory.devstack.processes import launch
from apex_memory.devstack.service import Service

async def main():
    command = (sys.executable, "-S", "-E", "-c", "import signal; signal.pause()")
    service = Service(name="child", command=command)
    print((await launch(service, pathlib.Path(sys.argv[1]))).pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def ports() -> list[int]:
    return list(assign_ports(["a", "b", "c"], kept={}).values())


async def test_services_get_ready_in_the_order_of_their_needs(tmp_path: Path, ports: list[int]) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    services = [
        listener("api", ports[0], deps=("migrate",)),
        script("migrate", "pass", deps=("store",), once=True),
        listener("store", ports[1]),
    ]

    await supervisor.start(services)

    assert [n for n, phase in journal.history if phase in {Phase.READY, Phase.DONE}] == [
        "store",
        "migrate",
        "api",
    ]
    await supervisor.stop()


async def test_services_stop_before_what_they_need(tmp_path: Path, ports: list[int]) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    await supervisor.start([listener("store", ports[0]), listener("api", ports[1], deps=("store",))])

    await supervisor.stop()

    assert journal.reached(Phase.STOPPED) == ["api", "store"]


async def test_independent_services_start_at_once(tmp_path: Path) -> None:
    supervisor, _ = supervisor_in(tmp_path)
    meeting = asyncio.Barrier(2)

    async def together() -> None:
        await meeting.wait()

    await supervisor.start(
        [script("left", FOREVER, ready=together), script("right", FOREVER, ready=together)]
    )

    await supervisor.stop()


async def test_a_killed_service_is_started_again(tmp_path: Path, ports: list[int]) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    await supervisor.start([listener("store", ports[0])])

    killed = kill(journal.state.services["store"])

    again = await journal.until("store", lambda s: s.restarts == 1 and s.phase is Phase.READY)
    assert again.process
    assert again.process.pid != killed
    await supervisor.stop()


async def test_a_service_that_dies_again_and_again_is_started_again_and_again(
    tmp_path: Path, ports: list[int]
) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    await supervisor.start([listener("store", ports[0])])

    for n in range(1, 4):
        kill(journal.state.services["store"])
        await journal.until("store", lambda s, n=n: s.restarts == n and s.phase is Phase.READY)

    await supervisor.stop()


async def test_a_service_that_never_gets_ready_stops_everything(tmp_path: Path, ports: list[int]) -> None:
    supervisor, journal = supervisor_in(tmp_path)

    async def never() -> None:
        raise StoreUnavailable("mute", "it does not speak")

    with pytest.raises(ServiceFailed, match=r"mute failed: .*it does not speak"):
        await supervisor.start(
            [listener("store", ports[0]), script("mute", FOREVER, ready=never, deadline_s=0.5)]
        )

    phases = {name: state.phase for name, state in journal.state.services.items()}
    assert phases == {"store": Phase.STOPPED, "mute": Phase.FAILED}


async def test_a_service_that_ends_too_often_before_it_is_ready_has_failed(tmp_path: Path) -> None:
    supervisor, _ = supervisor_in(tmp_path)

    async def never() -> None:
        raise StoreUnavailable("broken", "refused")

    with pytest.raises(ServiceFailed, match="exit code 3"):
        await supervisor.start([script("broken", "import sys\nsys.exit(3)", ready=never, attempts=2)])


async def test_a_service_that_refuses_for_a_moment_gets_as_many_attempts_as_fit(tmp_path: Path) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    directory = tmp_path / "tries"
    directory.mkdir()

    async def is_fourth() -> None:
        if not (directory / "try4").exists():
            raise StoreUnavailable("shy", "not yet")

    await supervisor.start([script("shy", SHY, directory=directory, ready=is_fourth, attempts=0)])

    assert journal.state.services["shy"].phase is Phase.READY
    await supervisor.stop()


async def test_a_step_that_fails_is_told_from_one_that_is_done(tmp_path: Path) -> None:
    supervisor, journal = supervisor_in(tmp_path)

    with pytest.raises(ServiceFailed, match="migrate failed: ended with exit code 1"):
        await supervisor.start([script("migrate", "raise SystemExit('no table')", once=True)])

    assert journal.state.services["migrate"].phase is Phase.FAILED
    assert "no table" in (tmp_path / "migrate.log").read_text()


async def test_a_failed_addition_leaves_what_ran_before_alone(tmp_path: Path, ports: list[int]) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    await supervisor.start([listener("store", ports[0])])
    before = journal.state.services["store"].process

    with pytest.raises(ServiceFailed):
        await supervisor.start([script("api", "import sys\nsys.exit(1)", once=True)])

    assert journal.state.services["store"].process == before
    assert is_alive(before)
    await supervisor.stop()


async def test_a_failed_addition_can_be_tried_again(tmp_path: Path, ports: list[int]) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    with pytest.raises(ServiceFailed):
        await supervisor.start([script("api", "import sys\nsys.exit(1)", once=True)])

    await supervisor.start([listener("api", ports[0])])

    assert journal.state.services["api"].phase is Phase.READY
    await supervisor.stop()


async def test_a_service_that_is_not_ours_is_only_asked(tmp_path: Path) -> None:
    supervisor, journal = supervisor_in(tmp_path)
    asked: list[str] = []

    async def answers() -> None:
        asked.append("ready?")

    await supervisor.start([Service(name="store", ready=answers)])

    assert asked == ["ready?"]
    assert journal.state.services["store"].phase is Phase.EXTERNAL
    await supervisor.stop()


async def test_a_service_that_does_not_listen_to_its_signal_is_killed(tmp_path: Path) -> None:
    supervisor, journal = supervisor_in(tmp_path)

    async def is_deaf() -> None:
        if not (tmp_path / "deaf").exists():
            raise StoreUnavailable("stubborn", "still hears")

    stubborn = script("stubborn", STUBBORN, directory=tmp_path, ready=is_deaf, stop_deadline_s=0.1)
    await supervisor.start([stubborn])
    process = journal.state.services["stubborn"].process

    await supervisor.stop()

    assert not is_alive(process)


async def test_what_a_service_started_goes_with_it(tmp_path: Path) -> None:
    supervisor, _ = supervisor_in(tmp_path)
    note = tmp_path / "orphan.pid"

    async def has_a_child() -> None:
        if not (note.exists() and note.read_text()):
            raise StoreUnavailable("parent", "no child yet")

    await supervisor.start([script("parent", ORPHAN_MAKER, str(note), ready=has_a_child)])
    child = identify(int(note.read_text()))

    await supervisor.stop()

    assert child
    assert await ended(child, within_s=10)


async def test_services_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(tmp_path / "log"), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    child = identify(int(await parent.stdout.readline()))

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    assert isinstance(child, ProcessIdentity)
    assert await ended(child, within_s=10)
