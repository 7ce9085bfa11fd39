"""A seed, a number of faults and a directory in, segments of a campaign with their verdicts out."""

import asyncio
import random
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import orjson
from tests.chaos.campaign.audit import Audit, audit, reconciled, rest
from tests.chaos.campaign.checker import Verdict, check
from tests.chaos.campaign.clients import Pace, Tenant, at_work, make_tenant
from tests.chaos.campaign.deck import Deck
from tests.chaos.campaign.faults import Scene, heal
from tests.chaos.campaign.fleet import Fleet, running_fleet
from tests.chaos.campaign.history import History, read_history
from tests.chaos.campaign.machine import Machine, look
from tests.chaos.campaign.matrix import CELLS
from tests.chaos.campaign.nemesis import Done, Nemesis
from tests.chaos.campaign.warden import Warden

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.memory import open_memory

TENANTS: Final = "abc"
#: A segment has services, data and an audit of its own, so that a long campaign does not grow without bound.
FAULTS_A_SEGMENT: Final = 500
REST_PATIENCE_S: Final = 240.0
_WARM_UP_S: Final = 180.0
_SAY_EVERY_S: Final = 5.0


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    ends_at: Unix seconds; no fault begins later, but for the first ones of a segment. zombie_s: how long a
    writer may be late, which is longer than the longest freeze and what comes after it. only: faults, or
    faults with their targets, if not all of them. spare: with a second worker process.
    """

    root: Path
    seed: int
    faults: int
    ends_at: float = float("inf")
    pace: Pace = field(default_factory=Pace)
    faults_a_segment: int = FAULTS_A_SEGMENT
    zombie_s: float = 30.0
    only: frozenset[str] = frozenset()
    spare: bool = False


@dataclass
class State:
    """What a campaign that goes on has to know; written after every segment and every hand."""

    seed: int
    drawn: int = 0
    faults: int = 0
    segments: int = 0

    @classmethod
    def of(cls, root: Path, *, seed: int) -> "State":
        file = root / "state.json"
        return cls(**orjson.loads(file.read_bytes())) if file.exists() else cls(seed=seed)

    def keep(self, root: Path) -> None:
        draft = root / "state.json.new"
        draft.write_bytes(orjson.dumps(asdict(self)))
        draft.replace(root / "state.json")


class Campaign:
    """Runs segments until the plan is fulfilled or `stop` is set."""

    def __init__(self, plan: Plan, *, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._stop = asyncio.Event()
        self._state = State.of(plan.root, seed=plan.seed)

    async def run(self) -> None:
        """Until all faults are done, time is up, or SIGINT or SIGTERM ask for an end in order."""
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._stop.set)
        while not self._over():
            await self._segment()

    def _over(self) -> bool:
        time_is_up = time.time() > self._plan.ends_at
        return self._stop.is_set() or time_is_up or self._state.faults >= self._plan.faults

    async def _segment(self) -> None:
        number = self._state.segments
        folder = self._plan.root / f"segment-{number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        self._state.segments += 1
        self._state.keep(self._plan.root)
        machine = await asyncio.to_thread(look, folder)
        _keep(folder / "machine.json", machine.lacks)
        async with running_fleet(
            folder, machine, zombie_s=self._plan.zombie_s, spare=self._plan.spare, say=self._say
        ) as fleet:
            await _Segment(self._plan, self._state, folder, fleet, machine, self._say, self._over).run()


class _Segment:
    def __init__(
        self,
        plan: Plan,
        state: State,
        folder: Path,
        fleet: Fleet,
        machine: Machine,
        say: Callable[[str], None],
        over: Callable[[], bool],
    ) -> None:
        self._plan = plan
        self._state = state
        self._folder = folder
        self._fleet = fleet
        self._machine = machine
        self._say = say
        self._over = over
        self._seed = f"{plan.seed} {folder.name}"
        self._history = History(folder / "history.jsonl")
        self._until = state.faults + plan.faults_a_segment
        self._began = time.time()
        self._said = 0.0

    async def run(self) -> None:
        async with AsyncExitStack() as stack:
            stack.callback(self._history.close)
            settings = self._fleet.direct.model_copy(update={"read_deadline_s": 30.0})
            direct = await stack.enter_async_context(open_memory(settings))
            tenants = await self._tenants(direct.keys.issue)
            only = self._plan.only
            possible = [cell for cell in CELLS if not self._machine.lacks.get(cell.need)]
            cells = [c for c in possible if not only or only & {c.fault, f"{c.fault}:{c.target}"}]
            scene = Scene(
                fleet=self._fleet,
                machine=self._machine,
                temporal=await connect_temporal(self._fleet.direct),
                chance=random.Random(f"{self._seed} scene"),
            )
            deck = Deck(cells, seed=self._plan.seed, drawn=self._state.drawn)
            work = at_work(
                self._fleet.proxied, tenants, history=self._history, seed=self._seed, pace=self._plan.pace
            )
            async with work as workload:
                log = self._folder / "faults.jsonl"
                warden = Warden(self._fleet, say=self._say)
                await stack.enter_async_context(warden.watching())
                nemesis = Nemesis(scene, deck, workload, direct, warden, log=log, seed=self._seed)
                if await nemesis.recovered(_WARM_UP_S) is None:
                    raise RuntimeError("without any fault, no write commits")
                workload.begin()
                while True:
                    workload.raise_bugs()
                    most = min(self._plan.faults, self._until) - self._state.faults
                    await nemesis.play(most, on_done=self._count)
                    self._state.drawn = deck.position
                    self._state.keep(self._plan.root)
                    self._history.flush()
                    if self._over() or self._state.faults >= self._until:
                        break
                self._say(f"healing; {nemesis.skipped} faults found nothing to act on")
                await heal(scene)
            _keep(self._folder / "ended.json", scene.ended)
            await self._judge(tenants, scene, warden)

    async def _tenants(self, issue: Callable[..., Any]) -> list[Tenant]:
        tenants: list[Tenant] = []
        for letter in TENANTS:
            tenant_id = f"chaos-{self._plan.seed}-{self._folder.name}-{letter}"
            tenants.append(make_tenant(tenant_id, letter, await issue(tenant_id, label="chaos")))
        return tenants

    def _count(self, hand: Sequence[Done]) -> None:
        self._state.faults += len(hand)
        if hand[0].alone and hand[0].recovered_s is None:
            self._say(f"no write committed after {', '.join(done.cell for done in hand)}")
        if time.time() - self._said > _SAY_EVERY_S:
            self._said = time.time()
            minutes = (self._said - self._began) / 60
            here = self._state.faults - (self._until - self._plan.faults_a_segment)
            counts = self._history.counts
            self._say(
                f"{self._state.faults}/{self._plan.faults} faults ({here / minutes:.0f}/min), "
                f"{self._history.operations} operations ({self._history.operations / minutes / 60:.0f}/s: "
                f"{counts['ok']} ok, {counts['fail']} fail, {counts['info']} info); "
                f"last {', '.join(done.cell for done in hand)}"
            )

    async def _judge(self, tenants: Sequence[Tenant], scene: Scene, warden: Warden) -> None:
        names = [tenant.tenant_id for tenant in tenants]
        lasted_s = time.time() - self._began
        self._say("waiting until all that was accepted has ended")
        settings = self._fleet.direct
        settled_s, under_way = await rest(settings, names, patience_s=REST_PATIENCE_S)
        self._say(f"at rest after {settled_s:.1f} s; reconciling once zombies have had their time")
        await asyncio.sleep(self._plan.zombie_s)
        mended = await reconciled(scene.temporal, settings)
        self._say("comparing the stores")
        operations, counts = self._history.operations, dict(self._history.counts)
        found, excused = await audit(settings, names, history=self._history, ended=scene.ended)
        found = replace(found, settled_s=round(settled_s, 1), under_way=under_way, mended=mended)
        begun = time.monotonic()
        verdict = check(read_history([self._folder / "history.jsonl"]), excused=excused)
        self._say(f"{operations} operations judged in {time.monotonic() - begun:.1f} s")
        _keep(
            self._folder / "verdict.json",
            {
                "seed": self._plan.seed,
                "commit": commit_hash(),
                "lasted_s": round(lasted_s, 1),
                "operations": operations,
                "counts": counts,
                "violations": dict(verdict.violations),
                "described": [asdict(violation) for violation in verdict.described],
                "excused": verdict.excused,
                "audit": asdict(found),
                "rescued": warden.rescued,
                "deaths": {name: member.deaths for name, member in self._fleet.members.items()},
            },
        )
        self._say(told(verdict, found))


def told(verdict: Verdict, found: Audit) -> str:
    violations = ", ".join(f"{n} {kind}" for kind, n in verdict.violations.items()) or "no violation"
    under_way = ", ".join(f"{n} {what}" for what, n in found.under_way.items() if n) or "nothing"
    return (
        f"{violations}; {found.committed} committed versions, {len(found.incomplete)} incomplete, "
        f"{len(found.unknown)} unknown, {len(found.orphans)} orphans; {under_way} under way; {found.mended}"
    )


def commit_hash() -> str:
    """Of this checkout, with a plus if it has changes."""
    said = subprocess.run(
        ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def _keep(file: Path, value: Any) -> None:
    file.write_bytes(orjson.dumps(value, option=orjson.OPT_INDENT_2))
