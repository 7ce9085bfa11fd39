"""Random schedules of the real protocol code: whatever fails when, every promise holds."""

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Final

import pytest
from tests.simulation.mutants import MUTANTS
from tests.simulation.schedule import run, story
from tests.simulation.weather import Fate

from apex_memory.domain.ledger import Outcome
from apex_memory.domain.upkeep import WorkflowState

#: Also those in which the mutants are caught.
SEEDS: Final = sorted({*range(40), *(mutant.schedule for mutant in MUTANTS)})
#: In portions, so that none comes near a test's time limit on a busy machine.
PORTIONS: Final = 8


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_no_schedule_breaks_a_promise(portion: int, only_seed: int | None) -> None:
    for seed in SEEDS[portion::PORTIONS] if only_seed is None else [only_seed]:
        world = run(seed)
        broken, ended = world.violations, world.loop.time()
        world.close()
        again = f"again with: pytest tests/simulation/test_schedules.py --seed {seed}"
        assert not broken, f"seed {seed}, after {ended:.2f} s: {broken[0]}; {again}"


def test_the_same_seed_is_the_same_schedule_in_every_process() -> None:
    """Whatever the hashes and the addresses of things are."""
    program = "from tests.simulation.schedule import story; print(story(7), story(8))"
    other = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={"PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert other.stdout.splitlines()[-1].split() == [story(7), story(8)]


def test_the_schedules_are_as_bad_as_they_claim() -> None:
    """Every fate of a call, every end of a workflow and every end of an event happens."""
    fates, states, outcomes = Counter[str](), Counter[WorkflowState](), Counter[Outcome]()
    for seed in range(8):
        world = run(seed)
        fates.update(world.network.counts)
        states.update(world.ends)
        outcomes.update(ended.outcome for ended in world.ledger.outcomes.values())
        world.close()

    assert set(fates) == set(Fate)
    assert set(states) == {
        WorkflowState.COMPLETED,
        WorkflowState.FAILED,
        WorkflowState.CANCELLED,
        WorkflowState.TERMINATED,
    }
    assert set(outcomes) == set(Outcome)
