"""A scene, a deck and a probe in, faults done one hand after the other and how soon it recovered out."""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import orjson
from tests.chaos.campaign.clients import Workload, Writer
from tests.chaos.campaign.deck import Deck
from tests.chaos.campaign.faults import NotDone, Scene, happen
from tests.chaos.campaign.matrix import Cell
from tests.chaos.campaign.warden import Warden

from apex_memory.bootstrap.memory import Memory
from apex_memory.domain.errors import ApexError

#: How many faults at once. After a single one we wait until the product has recovered, which tells how long
#: that takes if it was whole before; after several we go on soon, recovered or not.
HANDS: Final = (1, 5, 6, 7, 7, 8, 8, 9, 9, 9)
#: How soon work goes on after these is promised, so that more of them than of others happen alone.
_TIMED: Final = frozenset({"kill:worker-flow", "kill:worker-write", "out-of-memory:worker-write"})
RECOVERY_PATIENCE_S: Final = 60.0
WHOLE_PATIENCE_S: Final = 15.0
BREATH_S: Final = 1.5
#: Faults of one hand begin within this time: short ones come and go while a long one lasts.
_STAGGER_S: Final = 4.0
#: Faults of one hand, those included that follow others while a heavy one lasts.
_MOST: Final = 12
_LOOK_S: Final = 0.02
_PROBE_EVERY_S: Final = 0.1


#: What happened, when by the clock on the wall and by the monotonic one, and for how many seconds.
_Happened = tuple[Cell, float, int, float]


@dataclass(frozen=True)
class Done:
    """One fault that happened, `at_ns` by the monotonic clock. recovered_s: from its end to the commit of a
    write that began after it.

    alone: no other fault happened meanwhile, so that the recovery is from this one.
    """

    cell: str
    fault: str
    target: str
    outcome: str
    begun: float
    at_ns: int
    lasted_s: float
    alone: bool
    recovered_s: float | None


class Nemesis:
    """Goes on until told to stop; each hand ends with a fresh write that commits."""

    def __init__(
        self,
        scene: Scene,
        deck: Deck,
        workload: Workload,
        direct: Memory,
        warden: Warden,
        *,
        log: Path,
        seed: str,
    ) -> None:
        self._warden = warden
        self._scene = scene
        self._deck = deck
        self._workload = workload
        self._direct = direct
        self._log = log
        self._chance = random.Random(f"{seed} nemesis")
        self._whole = False
        self.skipped = 0

    async def play(self, most: int, *, on_done: Callable[[Sequence[Done]], None]) -> None:
        """One hand. A fault that found nothing to act on is not counted."""
        hand = self._deck.hand(min(most, self._chance.choice(HANDS)), alone=_TIMED)
        alone = len(hand) == 1 and (self._whole or await self.recovered(WHOLE_PATIENCE_S) is not None)
        happened = await self._all_of(hand, most=min(most, _MOST))
        if not happened:
            return
        recovered_s = await self.recovered(RECOVERY_PATIENCE_S if alone else BREATH_S)
        self._whole = recovered_s is not None
        told = [
            Done(
                cell=cell.name,
                fault=cell.fault,
                target=cell.target,
                outcome=cell.outcome,
                begun=begun,
                at_ns=at_ns,
                lasted_s=round(lasted_s, 3),
                alone=alone,
                recovered_s=recovered_s,
            )
            for cell, begun, at_ns, lasted_s in happened
        ]
        with self._log.open("ab") as file:
            file.writelines(orjson.dumps(asdict(done)) + b"\n" for done in told)
        on_done(told)

    async def _all_of(self, hand: Sequence[Cell], *, most: int) -> list[_Happened]:
        """What is heavy lasts: while it does, short ones follow each other beside it, up to `most` in all."""
        busy = {asyncio.ensure_future(self._one(cell)): cell for cell in hand}
        begun, happened = len(hand), list[_Happened]()
        while busy:
            ended, _ = await asyncio.wait(busy, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                del busy[task]
                if (one := task.result()) is None:
                    self.skipped += 1
                else:
                    happened.append(one)
            lasting = any(cell.heavy for cell in busy.values())
            if lasting and len(hand) > 1 and begun < most and (cell := self._deck.beside([*busy.values()])):
                busy[asyncio.ensure_future(self._one(cell))] = cell
                begun += 1
        return happened

    async def _one(self, cell: Cell) -> _Happened | None:
        await asyncio.sleep(self._chance.uniform(0, _STAGGER_S))
        begun, at_ns = time.time(), time.monotonic_ns()
        self._warden.begin(cell.target)
        try:
            await happen(self._scene, cell)
        except NotDone:
            return None
        finally:
            self._warden.end(cell.target)
        return cell, begun, at_ns, (time.monotonic_ns() - at_ns) / 1e9

    async def recovered(self, patience_s: float = RECOVERY_PATIENCE_S) -> float | None:
        """Seconds until a fresh write has committed; None: not in time."""
        begun = time.monotonic()
        probe = self._chance.choice(self._workload.probes)
        try:
            async with asyncio.timeout(patience_s):
                await self._commit(probe)
        except TimeoutError:
            return None
        return round(time.monotonic() - begun, 3)

    async def _commit(self, probe: Writer) -> None:
        tenant = probe.tenant
        item = self._chance.choice(tenant.hot)
        write, ingestion = await probe.write(item, tries_every_s=_PROBE_EVERY_S)
        while not await self._is_done(tenant.tenant_id, ingestion):
            await asyncio.sleep(_LOOK_S)
        await probe.settle(write, ingestion)

    async def _is_done(self, tenant_id: str, ingestion: str) -> bool:
        """Asked beside the links, so that the answer does not wait for a broken one."""
        try:
            told = await self._direct.inbox.ingestion(tenant_id, UUID(ingestion))
        except ApexError:
            return False
        return told.state == "done"
