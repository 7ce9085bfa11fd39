"""The seeds to run in, and silence: what the simulated workers log is nobody's business."""

import logging
from collections.abc import Callable, Generator

import pytest
import structlog

CAUGHT = pytest.StashKey[list[tuple[str, str, int]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="run this one schedule of the simulation, and no other")


@pytest.fixture(scope="session")
def only_seed(request: pytest.FixtureRequest) -> int | None:
    return request.config.getoption("--seed")


@pytest.fixture(autouse=True, scope="session")
def silence() -> Generator[None, None, None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def found_out(request: pytest.FixtureRequest) -> Callable[[str, str, int], None]:
    """Where a mutant is entered that was caught: its rule, what broke, and the schedule that showed it."""
    caught = request.config.stash.setdefault(CAUGHT, [])
    return lambda rule, promise, schedules: caught.append((rule, promise, schedules))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    caught = config.stash.setdefault(CAUGHT, [])
    if caught and config.get_verbosity() > 0:
        terminalreporter.section("rules left out, and the promise that broke")
        for rule, promise, schedules in sorted(caught):
            terminalreporter.write_line(f"{rule:<50} {promise:<55} {schedules:>3}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One seed is one schedule: the other portions would only run it again."""
    if config.getoption("--seed", default=None) is not None:
        items[:] = [item for item in items if item.name == "test_no_schedule_breaks_a_promise[0]"]
