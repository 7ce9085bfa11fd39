"""A test of the tests: whichever rule of the protocol is left out, the simulation sees a promise break."""

from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.reader import visible_at
from tests.simulation.schedule import run
from tests.simulation.world import World

#: So many schedules at most. Without a mutant none breaks a promise: see `test_schedules`.
SCHEDULES: Final = 100

Note = Callable[[str, object], None]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.rule)
def test_a_rule_that_is_left_out_is_missed(
    mutant: Mutant, monkeypatch: pytest.MonkeyPatch, record_property: Note
) -> None:
    visible = mutant.leave_out(monkeypatch) or visible_at
    for seed in (mutant.schedule, *range(SCHEDULES)):
        world = run(seed, new_world=partial(World, visible=visible))
        violations = world.violations
        world.close()
        if violations:
            break
    else:
        pytest.fail(f"{SCHEDULES} schedules without it, and nothing breaks")

    record_property("caught", (mutant.rule, violations[0].invariant, seed))
    assert violations[0].invariant.partition("_")[0] in mutant.breaks, str(violations[0])
