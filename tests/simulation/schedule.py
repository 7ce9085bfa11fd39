"""A seed in, a world after one random schedule out: what happens, when, and how it all came to rest."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.simulation.machine_room import RECONCILE, UPKEEP
from tests.simulation.senders import CONTENTS, ITEMS, TENANTS
from tests.simulation.world import Run, World

EVENTS_A_SCHEDULE: Final = 40
#: Where a cancel is worth most: whether the batch commits is being decided, or taken back.
_MOMENTS: Final = ("", "allocate", "commit", "commit", "commit", "abort", "discard")


@dataclass(frozen=True)
class Scene:
    """Who and what one schedule is about, and how quickly one thing follows another."""

    world: World
    random: Random
    tenants: Sequence[str]
    items: Sequence[str]
    pace_s: float

    def tenant(self) -> str:
        return self.random.choice(self.tenants)

    def item(self) -> str:
        return self.random.choice(self.items)

    def run(self) -> Run | None:
        """An ingestion that is at an interesting moment."""
        at = self.random.choice(_MOMENTS)
        under_way = self.world.under_way(at)
        return self.random.choice(under_way) if under_way else None


Act = Callable[[Scene], None]


def _send(scene: Scene) -> None:
    random = scene.random
    items = random.sample(scene.items, min(len(scene.items), random.choice((1, 1, 2))))
    said = [(item, random.choice(CONTENTS)) for item in items]
    age_s = random.choice((0.0, 0.0, 1.5, 4.5))
    scene.world.send(scene.tenant(), *said, age_s=age_s, poison=random.random() < 0.05)


def _send_at_once(scene: Scene) -> None:
    """Batches that meet at one item."""
    tenant_id, item = scene.tenant(), scene.item()
    for _ in range(scene.random.choice((2, 3))):
        age_s = scene.random.choice((0.0, 1.5))
        scene.world.send(tenant_id, (item, scene.random.choice(CONTENTS)), age_s=age_s)


def _derive(scene: Scene) -> None:
    scene.world.derive(scene.tenant(), scene.item())


def _bury(scene: Scene) -> None:
    scene.world.bury(scene.tenant(), scene.item())


def _bury_in_the_middle(scene: Scene) -> None:
    """What a batch is just writing."""
    run = scene.run()
    if run is not None:
        event = next(event for event in scene.world.facts.sent if event.batch_id == run.batch.batch_id)
        scene.world.bury(event.tenant_id, event.external_id)


def _cancel(scene: Scene) -> None:
    run = scene.run()
    if run is not None:
        scene.world.cancel(run)
        # Some click twice: the second time it is undoing.
        for _ in range(scene.random.choice((0, 0, 1, 2))):
            scene.world.pass_time(scene.random.uniform(0.0, 2.0))
            scene.world.cancel(run)


def _terminate(scene: Scene) -> None:
    run = scene.run()
    if run is not None:
        scene.world.terminate(run)


def _crash_worker(scene: Scene) -> None:
    scene.random.choice(scene.world.workers).crash(for_s=scene.random.uniform(0.0, 4.0))


def _freeze_worker(scene: Scene) -> None:
    scene.random.choice(scene.world.workers).freeze(for_s=scene.random.uniform(1.0, 20.0))


def _silence_worker(scene: Scene) -> None:
    scene.random.choice(scene.world.workers).silence(for_s=scene.random.uniform(1.0, 20.0))


def _crash_store(scene: Scene) -> None:
    store = scene.random.choice(scene.world.stores)
    scene.world.network.down(store.name, for_s=scene.random.uniform(1.0, 20.0))


def _wipe_store(scene: Scene) -> None:
    scene.world.wipe(scene.random.choice(scene.world.stores[1:]))


def _set_clock(scene: Scene) -> None:
    scene.world.set_senders_clock(scene.random.choice((-5.0, 5.0)))


def _tick(scene: Scene) -> None:
    scene.world.tick(scene.random.choice((*UPKEEP, "collect_garbage_activity", RECONCILE)))


def _read(scene: Scene) -> None:
    for _ in range(2):
        scene.world.read(scene.tenant())


_ACTS: Final[tuple[tuple[Act, int], ...]] = (
    (_send, 20),
    (_send_at_once, 10),
    (_derive, 6),
    (_bury, 3),
    (_bury_in_the_middle, 4),
    (_cancel, 10),
    (_terminate, 4),
    (_crash_worker, 3),
    (_freeze_worker, 5),
    (_silence_worker, 5),
    (_crash_store, 3),
    (_wipe_store, 1),
    (_set_clock, 1),
    (_tick, 10),
    (_read, 15),
)


def run(seed: int, *, new_world: Callable[[int], World] = World) -> World:
    """Until the first violation, or until all is at rest. The caller closes the world."""
    random = Random(seed)
    # Some schedules are crowded and some are slow; what a crowded one finds, a slow one never would.
    scene = Scene(
        world=new_world(seed),
        random=random,
        tenants=random.choice((TENANTS, TENANTS[:1])),
        items=random.choice((ITEMS, ITEMS[:2], ITEMS[:1])),
        pace_s=random.choice((0.5, 1.0, 3.0)),
    )
    acts, weights = zip(*_ACTS, strict=True)
    for act in random.choices(acts, weights, k=EVENTS_A_SCHEDULE):
        act(scene)
        scene.world.pass_time(random.expovariate(1.0) * scene.pace_s)
        if scene.world.violations:
            return scene.world
    scene.world.settle()
    return scene.world


def story(seed: int) -> str:
    """A schedule's fingerprint: when it ended, what became of each call and of each version."""
    world = run(seed)
    told = [world.loop.time(), sorted(world.network.counts.items()), *world.ledger.versions.values()]
    world.close()
    return hashlib.sha256("\n".join(map(repr, told)).encode()).hexdigest()
