"""The seeds to run in, and silence: what the simulated workers log is nobody's business."""

import logging
from collections.abc import Generator

import pytest
import structlog

#: The property of a test under which it notes which mutant it has caught.
CAUGHT = "caught"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="run this one schedule of the simulation, and no other")


@pytest.fixture(scope="session")
def only_seed(request: pytest.FixtureRequest) -> int | None:
    return request.config.getoption("--seed", default=None)


@pytest.fixture(autouse=True, scope="session")
def silence() -> Generator[None, None, None]:
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**before)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    passed = terminalreporter.stats.get("passed", [])
    caught = sorted(value for report in passed for name, value in report.user_properties if name == CAUGHT)
    if caught and config.get_verbosity() > 0:
        terminalreporter.section("rules left out, the promise that breaks, and the schedule that shows it")
        for rule, promise, schedule in caught:
            terminalreporter.write_line(f"{rule:<50} {promise:<55} {schedule:>3}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """One seed is one schedule: the other portions would only run it again."""
    if config.getoption("--seed", default=None) is not None:
        items[:] = [item for item in items if item.name == "test_no_schedule_breaks_a_promise[0]"]
