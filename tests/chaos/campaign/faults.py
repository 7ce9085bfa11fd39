"""A cell in, its fault done and undone out."""

import asyncio
import random
import resource
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError
from tests.chaos.campaign.fleet import Fleet
from tests.chaos.campaign.links import Fault
from tests.chaos.campaign.machine import Machine
from tests.chaos.campaign.matrix import CELLS, Cell
from tests.chaos.campaign.member import Member
from tests.chaos.campaign.processes import gone, signal_all, state_of

#: What a killed service has to come back before anything else is done to it.
UP_AGAIN_S: Final = 90.0
#: What a process has to come by its failpoint after it was started.
REACHED_S: Final = 30.0
_STOPPED_S: Final = 2.0


class NotDone(Exception):
    """The fault had nothing to act on, such as a workflow to cancel while none runs."""


@dataclass
class Scene:
    """All that a fault may act on. `ended`: ids of workflows that the campaign cancelled or terminated."""

    fleet: Fleet
    machine: Machine
    temporal: Client
    chance: random.Random
    ended: dict[str, str] = field(default_factory=dict[str, str])


Act = Callable[[Scene, Cell, float], Awaitable[None]]


async def happen(scene: Scene, cell: Cell) -> None:
    """Returns when the fault is over and, if it took a process down, when that process runs again.

    Raises:
        NotDone: nothing happened, so nothing is to be counted.
    """
    await _ACTS[cell.fault](scene, cell, scene.chance.uniform(*cell.lasts))


def _wire(mode: Fault | Callable[[random.Random], Fault]) -> Act:
    async def act(scene: Scene, cell: Cell, lasts_s: float) -> None:
        fault = mode if isinstance(mode, Fault) else mode(scene.chance)
        async with _faulty(scene, cell.target, fault):
            await asyncio.sleep(lasts_s)

    return act


@asynccontextmanager
async def _faulty(scene: Scene, link: str, fault: Fault) -> AsyncGenerator[None, None]:
    await scene.fleet.proxy.become(link, fault)
    try:
        yield
    finally:
        await scene.fleet.proxy.become(link, Fault())


async def _kill(scene: Scene, cell: Cell, _: float) -> None:
    await _killed_and_up(scene.fleet[cell.target])


async def _terminate(scene: Scene, cell: Cell, _: float) -> None:
    member = scene.fleet[cell.target]
    starts = member.starts
    _told(member, signal.SIGTERM)
    await _started(member, after=starts)


async def _freeze(scene: Scene, cell: Cell, lasts_s: float) -> None:
    pids = scene.fleet[cell.target].pids()
    if not pids:
        raise NotDone
    signal_all(pids, signal.SIGSTOP)
    try:
        await asyncio.sleep(lasts_s)
    finally:
        signal_all(pids, signal.SIGCONT)


async def _backend_killed(scene: Scene, cell: Cell, _: float) -> None:
    """As the OOM killer does: one backend dies, and the postmaster restarts them all."""
    victims = scene.fleet[cell.target].pids()[1:]
    if not victims:
        raise NotDone
    signal_all([scene.chance.choice(victims)], signal.SIGKILL)
    await scene.fleet[cell.target].ready(within_s=UP_AGAIN_S)


async def _out_of_memory(scene: Scene, cell: Cell, _: float) -> None:
    """The process's memory is limited to what it has, so that its next page gets it killed by the kernel.

    One that asks for no page within two seconds is killed as the kernel would have.
    """
    member = scene.fleet[cell.target]
    pid, group, starts = member.pid, member.cgroup, member.starts
    if not pid or group is None:
        raise NotDone
    limit = group / "memory.limit_in_bytes"
    with suppress(OSError):
        limit.write_text((group / "memory.usage_in_bytes").read_text())
    try:
        if not await gone([pid], within_s=_STOPPED_S):
            signal_all([pid], signal.SIGKILL)
    finally:
        limit.write_text("-1")
    await _started(member, after=starts)


async def _no_memory(scene: Scene, cell: Cell, lasts_s: float) -> None:
    """Allocations fail inside the process: a MemoryError wherever it may be."""
    pid = scene.fleet[cell.target].pid
    if not pid:
        raise NotDone
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    size = pages * resource.getpagesize()
    before = resource.prlimit(pid, resource.RLIMIT_AS)
    resource.prlimit(pid, resource.RLIMIT_AS, (size, before[1]))
    try:
        await asyncio.sleep(lasts_s)
    finally:
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_AS, before)


async def _disk_full(scene: Scene, cell: Cell, lasts_s: float) -> None:
    disk = scene.fleet.disks[cell.target]
    await asyncio.to_thread(disk.fill)
    try:
        await asyncio.sleep(lasts_s)
    finally:
        disk.free()


async def _fsync_error(scene: Scene, cell: Cell, lasts_s: float) -> None:
    """EIO from fsync and fdatasync, in every process of the service, while it lasts."""
    pids = scene.fleet[cell.target].pids()
    if not pids:
        raise NotDone
    attached = [part for pid in pids for part in ("-p", str(pid))]
    tracer = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync"),
        *("-e", "inject=fsync,fdatasync:error=EIO", *attached),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await asyncio.sleep(lasts_s + 0.5)  # attaching takes a while
    finally:
        with suppress(ProcessLookupError):
            tracer.send_signal(signal.SIGINT)
        await tracer.wait()
    await scene.fleet[cell.target].ready(within_s=UP_AGAIN_S)


async def _power_cut(scene: Scene, cell: Cell, _: float) -> None:
    """All that was not synced is lost: the disk comes back as it was at the moment when all stood still."""
    member, disk = scene.fleet[cell.target], scene.fleet.disks[cell.target]
    pids, starts = member.pids(), member.starts
    if not pids:
        raise NotDone
    member.hold_down()
    try:
        signal_all(pids, signal.SIGSTOP)
        # What was in the midst of an fsync gets to the end of it.
        await _all_stopped(pids)
        await asyncio.to_thread(disk.cut_power)
        signal_all([*pids, *member.pids()], signal.SIGKILL)
        if not await gone(pids, within_s=10):
            raise RuntimeError(f"{cell.target} survived SIGKILL")
        await asyncio.to_thread(disk.power_on)
    finally:
        member.let_up()
    await _started(member, after=starts)


async def _flushall(scene: Scene, _cell: Cell, _lasts_s: float) -> None:
    client = Redis.from_url(scene.fleet.direct.redis_url)  # pyright: ignore[reportUnknownMemberType] - untyped options
    async with client:
        await client.flushall()  # pyright: ignore[reportUnknownMemberType] - as above


async def _gone(scene: Scene, cell: Cell, lasts_s: float) -> None:
    member = scene.fleet[cell.target]
    starts = member.starts
    member.hold_down()
    try:
        _told(member, signal.SIGKILL)
        await asyncio.sleep(lasts_s)
    finally:
        member.let_up()
    await _started(member, after=starts)


async def _clock(scene: Scene, cell: Cell, lasts_s: float) -> None:
    """The process is started again with a wall clock of its own, and later with the right one."""
    member, library = scene.fleet[cell.target], scene.machine.clock
    assert library, "the cell needs it"
    shift_s = {"+1h": "3600", "-1h": "-3600"}[cell.point]
    member.next_start_with({"LD_PRELOAD": str(library), "APEX_CHAOS_SHIFT_S": shift_s})
    await _killed_and_up(member)
    await asyncio.sleep(lasts_s)
    await _killed_and_up(member)


async def _kill_at(scene: Scene, cell: Cell, _: float) -> None:
    """The process is started again with the failpoint, kills itself there, and is started without it."""
    member = scene.fleet[cell.target]
    starts = member.starts
    member.next_start_with({"APEX_FAILPOINTS": f"{cell.point}=kill@{scene.chance.randint(1, 2)}"})
    await _killed_and_up(member)
    try:
        async with asyncio.timeout(REACHED_S):
            while member.starts < starts + 2:
                await _provoke(scene, cell)
    except TimeoutError as exc:
        raise NotDone from exc


def _answer_at(action: str) -> Act:
    """The first three calls there fail with an outage although they did something."""

    async def act(scene: Scene, cell: Cell, lasts_s: float) -> None:
        member = scene.fleet[cell.target]
        member.next_start_with({"APEX_FAILPOINTS": f"{cell.point}={action}@1-3"})
        await _killed_and_up(member)
        await member.ready(within_s=UP_AGAIN_S)
        loop = asyncio.get_running_loop()
        end = loop.time() + lasts_s
        while loop.time() < end:
            await _provoke(scene, cell)

    return act


async def _provoke(scene: Scene, cell: Cell) -> None:
    """What comes only after a cancel does not come by itself."""
    if any(word in cell.point for word in ("abort", "discard", "cleaned")):
        with suppress(NotDone, RPCError):
            await _cancel(scene, cell, 0)
        await asyncio.sleep(1.0)
    await asyncio.sleep(0.1)


async def _cancel(scene: Scene, _cell: Cell, _lasts_s: float) -> None:
    workflow_id = await _running_workflow(scene)
    scene.ended[workflow_id] = "cancelled"
    await scene.temporal.get_workflow_handle(workflow_id).cancel()


async def _cancel_twice(scene: Scene, _cell: Cell, lasts_s: float) -> None:
    """Again while it compensates."""
    workflow_id = await _running_workflow(scene)
    scene.ended[workflow_id] = "cancelled"
    handle = scene.temporal.get_workflow_handle(workflow_id)
    await handle.cancel()
    await asyncio.sleep(lasts_s / 2)
    with suppress(RPCError):
        await handle.cancel()


async def _terminate_workflow(scene: Scene, _cell: Cell, _lasts_s: float) -> None:
    workflow_id = await _running_workflow(scene)
    scene.ended[workflow_id] = "terminated"
    await scene.temporal.get_workflow_handle(workflow_id).terminate("by the campaign")


async def _cancel_without(scene: Scene, cell: Cell, lasts_s: float) -> None:
    """Cancelled while a store refuses: the compensation cannot end before the store is back."""
    async with _faulty(scene, cell.target, Fault("refuse")):
        await asyncio.sleep(lasts_s / 3)
        for _ in range(3):
            with suppress(NotDone, RPCError):
                await _cancel(scene, cell, 0)
        await asyncio.sleep(lasts_s * 2 / 3)


async def _running_workflow(scene: Scene) -> str:
    """One that has not been touched, waited for a while. Raises NotDone."""
    for _ in range(20):
        query = "ExecutionStatus = 'Running' AND WorkflowId STARTS_WITH 'ingest:'"
        with suppress(RPCError):
            running = [
                found.id
                async for found in scene.temporal.list_workflows(query, limit=20)
                if found.status is WorkflowExecutionStatus.RUNNING and found.id not in scene.ended
            ]
            if running:
                return scene.chance.choice(running)
        await asyncio.sleep(0.1)
    raise NotDone


def _told(member: Member, number: signal.Signals) -> None:
    if not member.tell(number):
        raise NotDone


async def _killed_and_up(member: Member) -> None:
    """Returns as soon as it has been started again: when it answers is what recovery measures."""
    starts = member.starts
    _told(member, signal.SIGKILL)
    await _started(member, after=starts)


async def _started(member: Member, *, after: int) -> None:
    async with asyncio.timeout(UP_AGAIN_S):
        while member.starts == after:
            await asyncio.sleep(0.02)


async def _all_stopped(pids: list[int]) -> None:
    async with asyncio.timeout(10):
        while any(state_of(pid) in {"R", "S", "D"} for pid in pids):
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)


def _delay(chance: random.Random) -> Fault:
    return Fault("slow", delay_s=chance.choice((0.02, 0.05, 0.15)))


def _cut(mode: str) -> Callable[[random.Random], Fault]:
    def fault(chance: random.Random) -> Fault:
        after = chance.choice((16, 200, 1_000, 4_000))
        return Fault("cut_reply" if mode == "reply" else "cut_request", after=after)

    return fault


def _by_target(acts: Mapping[str, Act]) -> Act:
    async def act(scene: Scene, cell: Cell, lasts_s: float) -> None:
        await acts.get(cell.target, acts["*"])(scene, cell, lasts_s)

    return act


_ACTS: Final[Mapping[str, Act]] = {
    "refuse": _wire(Fault("refuse")),
    "reset": _wire(Fault("kill")),
    "reset-reply": _wire(Fault("reset_reply")),
    "lost-acknowledgement": _wire(Fault("drop_reply")),
    "blackhole": _wire(Fault("blackhole")),
    "blackhole-long": _wire(Fault("blackhole")),
    "slow": _wire(_delay),
    "partial-answer": _wire(_cut("reply")),
    "partial-batch": _wire(_cut("request")),
    "kill": _kill,
    "terminate": _by_target({"workflow": _terminate_workflow, "*": _terminate}),
    "freeze": _freeze,
    "freeze-long": _freeze,
    "zombie": _freeze,
    "backend-killed": _backend_killed,
    "out-of-memory": _out_of_memory,
    "no-memory": _no_memory,
    "disk-full": _disk_full,
    "fsync-error": _fsync_error,
    "power-cut": _power_cut,
    "flushall": _flushall,
    "gone": _gone,
    "clock": _clock,
    "kill-at": _kill_at,
    "lost-at": _answer_at("lose"),
    "partial-at": _answer_at("partly"),
    "cancel": _cancel,
    "cancel-twice": _cancel_twice,
    "cancel-without": _cancel_without,
}

assert {cell.fault for cell in CELLS} == set(_ACTS), "every fault of the matrix can be done"


async def heal(scene: Scene) -> None:
    """Whatever a fault that was interrupted has left behind."""
    async with AsyncExitStack() as stack:
        for name in scene.fleet.members:
            member = scene.fleet[name]
            stack.callback(signal_all, member.pids(), signal.SIGCONT)
            stack.callback(member.let_up)
        for disk in scene.fleet.disks.values():
            stack.callback(disk.free)
        for link in ("postgres", "vectors", "neo4j", "redis", "temporal"):
            await scene.fleet.proxy.become(link, Fault())
