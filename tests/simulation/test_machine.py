"""Hypothesis acts on the world: it looks for the shortest story that breaks a promise."""

from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.simulation.machine_room import RECONCILE
from tests.simulation.senders import CONTENTS, ITEMS, TENANTS
from tests.simulation.world import World

_tenants = st.sampled_from(TENANTS)
_items = st.sampled_from(ITEMS)
_contents = st.sampled_from(CONTENTS)
_ages = st.sampled_from((1.5, 4.5))
_moments = st.sampled_from((0.05, 0.5, 3.0))
_spells = st.sampled_from((1.0, 8.0, 20.0))
_numbers = st.integers(0, 3)


class Story(RuleBasedStateMachine):
    """What may happen. After each rule some virtual time passes, so that rules overlap."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(0)

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.world.random.seed(seed)

    @rule(tenant=_tenants, item=_items, content=_contents, moment=_moments)
    def ingest(self, tenant: str, item: str, content: str, moment: float) -> None:
        self.world.send(tenant, (item, content))
        self.world.pass_time(moment)

    @rule(tenant=_tenants, contents=st.tuples(_contents, _contents), moment=_moments)
    def update_two(self, tenant: str, contents: tuple[str, str], moment: float) -> None:
        self.world.send(tenant, ("one", contents[0]), ("two", contents[1]))
        self.world.pass_time(moment)

    @rule(tenant=_tenants, item=_items, content=_contents, age_s=_ages, moment=_moments)
    def late(self, tenant: str, item: str, content: str, age_s: float, moment: float) -> None:
        self.world.send(tenant, (item, content), age_s=age_s)
        self.world.pass_time(moment)

    @rule(tenant=_tenants, item=_items, moment=_moments)
    def same_content(self, tenant: str, item: str, moment: float) -> None:
        for _ in range(2):
            self.world.send(tenant, (item, "a"))
        self.world.pass_time(moment)

    @rule(tenant=_tenants, item=_items, moment=_moments)
    def derive(self, tenant: str, item: str, moment: float) -> None:
        self.world.derive(tenant, item)
        self.world.pass_time(moment)

    @rule(tenant=_tenants, item=_items, moment=_moments)
    def bury(self, tenant: str, item: str, moment: float) -> None:
        self.world.bury(tenant, item)
        self.world.pass_time(moment)

    @precondition(lambda self: self.world.under_way())
    @rule(number=_numbers, moment=_moments)
    def cancel(self, number: int, moment: float) -> None:
        under_way = self.world.under_way()
        self.world.cancel(under_way[number % len(under_way)])
        self.world.pass_time(moment)

    @precondition(lambda self: self.world.under_way())
    @rule(number=_numbers, moment=_moments)
    def terminate(self, number: int, moment: float) -> None:
        under_way = self.world.under_way()
        self.world.terminate(under_way[number % len(under_way)])
        self.world.pass_time(moment)

    @rule(number=_numbers, spell=_spells)
    def crash_worker(self, number: int, spell: float) -> None:
        self.world.workers[number % len(self.world.workers)].crash(for_s=spell)

    @rule(number=_numbers, spell=_spells, silent=st.booleans())
    def zombie(self, number: int, spell: float, *, silent: bool) -> None:
        worker = self.world.workers[number % len(self.world.workers)]
        (worker.silence if silent else worker.freeze)(for_s=spell)

    @rule(number=_numbers, spell=_spells)
    def crash_store(self, number: int, spell: float) -> None:
        self.world.network.down(self.world.stores[number % len(self.world.stores)].name, for_s=spell)

    @rule(number=_numbers)
    def wipe_store(self, number: int) -> None:
        self.world.wipe(self.world.stores[1:][number % 2])

    @rule(seconds=st.sampled_from((-5.0, 5.0)))
    def clock_jump(self, seconds: float) -> None:
        self.world.set_senders_clock(seconds)

    @rule(spell=_spells)
    def gc_tick(self, spell: float) -> None:
        self._tick("collect_garbage_activity", spell)

    @rule(spell=_spells)
    def reap_tick(self, spell: float) -> None:
        self._tick("reap_batches_activity", spell)

    @rule(spell=_spells)
    def sweep_tick(self, spell: float) -> None:
        self._tick("sweep_leftovers_activity", spell)

    @rule(spell=_spells)
    def reconcile_tick(self, spell: float) -> None:
        self._tick(RECONCILE, spell)

    @rule(tenant=_tenants, moment=_moments)
    def read(self, tenant: str, moment: float) -> None:
        self.world.read(tenant)
        self.world.pass_time(moment)

    @invariant()
    def no_promise_is_broken(self) -> None:
        assert not self.world.violations, str(self.world.violations[0])

    def teardown(self) -> None:
        try:
            if not self.world.violations:
                self.world.settle()
            self.no_promise_is_broken()
        finally:
            self.world.close()

    def _tick(self, activity: str, spell: float) -> None:
        self.world.tick(activity)
        self.world.pass_time(spell)


class TestStory(Story.TestCase):
    settings: Any = settings(
        max_examples=25,
        stateful_step_count=20,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        print_blob=True,
    )
