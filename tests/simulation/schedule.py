"""A seed in, a world after one random schedule out: what happens, when, and how it all came to rest."""

from collections.abc import Callable
from random import Random
from typing import Final

from tests.simulation.machine_room import RECONCILE, UPKEEP
from tests.simulation.senders import CONTENTS, ITEMS, TENANTS
from tests.simulation.world import World

Act = Callable[[World, Random], None]

EVENTS_A_SCHEDULE: Final = 40


def _send(world: World, random: Random) -> None:
    items = random.sample(ITEMS, random.choice((1, 1, 2)))
    age_s = random.choice((0.0, 0.0, 1.5, 4.5))
    said = [(item, random.choice(CONTENTS)) for item in items]
    world.send(random.choice(TENANTS), *said, age_s=age_s, poison=random.random() < 0.05)


def _send_twice_at_once(world: World, random: Random) -> None:
    """Two batches that meet at one item."""
    tenant_id, item = random.choice(TENANTS), random.choice(ITEMS)
    for _ in range(2):
        world.send(tenant_id, (item, random.choice(CONTENTS)), age_s=random.choice((0.0, 1.5)))


def _derive(world: World, random: Random) -> None:
    world.derive(random.choice(TENANTS), random.choice(ITEMS))


def _bury(world: World, random: Random) -> None:
    world.bury(random.choice(TENANTS), random.choice(ITEMS))


def _cancel(world: World, random: Random) -> None:
    world.cancel(random.randrange(8))


def _terminate(world: World, random: Random) -> None:
    world.terminate(random.randrange(8))


def _crash_worker(world: World, random: Random) -> None:
    random.choice(world.workers).crash(for_s=random.uniform(0.0, 4.0))


def _freeze_worker(world: World, random: Random) -> None:
    random.choice(world.workers).freeze(for_s=random.uniform(1.0, 20.0))


def _silence_worker(world: World, random: Random) -> None:
    random.choice(world.workers).silence(for_s=random.uniform(1.0, 20.0))


def _crash_store(world: World, random: Random) -> None:
    world.network.down(random.choice(world.stores).name, for_s=random.uniform(1.0, 30.0))


def _wipe_store(world: World, random: Random) -> None:
    world.wipe(random.choice(world.stores[1:]))


def _set_clock(world: World, random: Random) -> None:
    world.set_senders_clock(random.choice((-5.0, 5.0)))


def _tick(world: World, random: Random) -> None:
    world.tick(random.choice((*UPKEEP, "collect_garbage_activity", RECONCILE)))


def _read(world: World, random: Random) -> None:
    for _ in range(3):
        world.read(random.choice(TENANTS))


_ACTS: Final[tuple[tuple[Act, int], ...]] = (
    (_send, 24),
    (_send_twice_at_once, 8),
    (_derive, 6),
    (_bury, 4),
    (_cancel, 5),
    (_terminate, 3),
    (_crash_worker, 3),
    (_freeze_worker, 4),
    (_silence_worker, 4),
    (_crash_store, 3),
    (_wipe_store, 1),
    (_set_clock, 1),
    (_tick, 10),
    (_read, 24),
)


def run(seed: int, *, new_world: Callable[[int], World] = World) -> World:
    """Until the first violation, or until all is at rest. The caller closes the world."""
    world = new_world(seed)
    random = Random(seed + 1)
    acts, weights = zip(*_ACTS, strict=True)
    # Some schedules are crowded and some are slow; what a crowded one finds, a slow one never would.
    pace_s = random.choice((0.3, 1.0, 3.0))
    for act in random.choices(acts, weights, k=EVENTS_A_SCHEDULE):
        act(world, random)
        world.pass_time(random.expovariate(1.0) * pace_s)
        if world.violations:
            return world
    world.settle()
    return world
