"""Addresses, files and services of a stack before anything is started."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from apex_memory.devstack import lease
from apex_memory.devstack.assembly import settle
from apex_memory.devstack.catalogue import ALL, CATALOGUE, PORT_NAMES, build_services
from apex_memory.devstack.endpoints import endpoints_in, read_env_file, write_env_file
from apex_memory.devstack.fixture import home_of_run
from apex_memory.devstack.home import Home, last_lines
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.places import data_directories, postgres_places
from apex_memory.devstack.processes import ProcessIdentity
from apex_memory.devstack.service import Account
from apex_memory.devstack.site import Site
from apex_memory.devstack.state import Journal, StackState
from apex_memory.devstack.tail import tail
from apex_memory.devstack.wishes import take_wishes, wish
from apex_memory.domain.queues import Queue

GIVEN = (
    "APEX_POSTGRES_URL",
    "APEX_QDRANT_URL",
    "APEX_NEO4J_URL",
    "APEX_REDIS_URL",
    "APEX_TEMPORAL_ADDRESS",
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for variable in GIVEN:
        monkeypatch.delenv(variable, raising=False)
    home = Home(tmp_path)
    home.create()
    return home


def settled(home: Home, state: StackState | None = None) -> tuple[Site, StackState]:
    journal = Journal(home.state_file, state or StackState())
    site = settle(home, Installation(home.root), journal)
    return site, journal.state


def names(services: Iterable[str]) -> set[str]:
    return set(services)


def test_a_second_start_finds_the_same_addresses(home: Home) -> None:
    first, state = settled(home)

    second, _ = settled(home, state)

    assert second.endpoints == first.endpoints


def test_every_service_gets_its_own_ports(home: Home) -> None:
    site, _ = settled(home)

    assert names(site.ports) == names(PORT_NAMES)
    assert len(set(site.ports.values())) == len(PORT_NAMES)


def test_a_service_given_by_url_is_used_and_not_started(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APEX_REDIS_URL", "redis://elsewhere:6379/0")

    site, _ = settled(home)

    assert site.endpoints.redis_url == "redis://elsewhere:6379/0"
    assert site.given == {"redis"}
    assert [service.command for service in build_services(site, ["redis"])] == [()]


def test_a_shell_that_has_read_our_own_addresses_gives_us_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, state = settled(home)
    for name, value in read_env_file(home.env_file).items():
        monkeypatch.setenv(name, value)

    site, _ = settled(home, state)

    assert site.given == frozenset()


def test_children_know_every_address_and_their_home(home: Home) -> None:
    site, _ = settled(home)

    assert site.environment.items() >= site.endpoints.environment().items()
    assert site.environment["APEX_HOME"] == str(home.root)


def test_children_may_keep_bytecode_where_the_environment_forbids_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    site, _ = settled(home)

    assert "PYTHONDONTWRITEBYTECODE" not in site.environment
    assert Path(site.environment["PYTHONPYCACHEPREFIX"]).is_relative_to(home.root)


def test_apex_env_is_private_and_says_where_everything_is(home: Home) -> None:
    site, _ = settled(home)

    assert home.env_file.stat().st_mode & 0o777 == 0o600
    assert endpoints_in(read_env_file(home.env_file)) == site.endpoints


def test_apex_env_keeps_lines_that_are_not_ours(tmp_path: Path) -> None:
    file = tmp_path / "apex.env"
    write_env_file(file, {"APEX_API_KEY": "k=1", "OPENAI_API_KEY": "theirs"})

    write_env_file(file, {"APEX_REDIS_URL": "redis://x"})

    assert read_env_file(file) == {
        "APEX_API_KEY": "k=1",
        "APEX_REDIS_URL": "redis://x",
        "OPENAI_API_KEY": "theirs",
    }


def test_every_queue_has_a_worker_in_the_catalogue() -> None:
    assert {f"worker-{queue}" for queue in Queue} == {name for name in ALL if name.startswith("worker-")}


def test_every_need_of_a_service_is_in_the_catalogue(home: Home) -> None:
    (home.root / "bin").mkdir()
    (home.root / "bin" / "temporal").touch()
    (home.root / "lib" / "neo4j").mkdir(parents=True)
    site, _ = settled(home)

    needs = {need for blueprint in CATALOGUE for need in blueprint.build(site).deps}

    assert needs <= names(ALL)


def test_a_home_that_the_account_can_reach_holds_the_data(tmp_path: Path) -> None:
    places = postgres_places(Home(tmp_path), Installation(tmp_path), None)

    assert places["postgres"] == str(tmp_path / "data" / "postgres")
    assert data_directories(Home(tmp_path), places) == [tmp_path / "data"]


def test_a_home_closed_to_the_account_keeps_its_data_outside(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    stranger = Account(uid=tmp_path.stat().st_uid + 1, gid=tmp_path.stat().st_gid + 1)

    places = postgres_places(Home(tmp_path), Installation(tmp_path), stranger)

    data = Path(places["postgres"])
    assert not data.is_relative_to(tmp_path)
    assert data.parent in data_directories(Home(tmp_path), places)


def test_no_wish_is_lost_and_none_is_granted_twice(home: Home) -> None:
    gone = ProcessIdentity(pid=1, started="another-boot:1")
    wish(home, ["api", "relay"], gone)
    wish(home, ["relay", "worker-embed"], gone)

    assert take_wishes(home) == ("api", "relay", "worker-embed")
    assert take_wishes(home) == ()


def test_a_stack_is_in_use_while_anyone_holds_a_lease(tmp_path: Path) -> None:
    file = tmp_path / "lease"

    with lease.held(file), lease.held(file), lease.nobody_holds(file) as unused:
        assert not unused
    with lease.nobody_holds(file) as unused:
        assert unused


@pytest.mark.parametrize(
    ("basetemp", "home"), [("/run-7", "/run-7/apex"), ("/run-7/popen-gw1", "/run-7/apex")]
)
def test_the_processes_of_one_run_share_a_home(basetemp: str, home: str) -> None:
    assert home_of_run(Path(basetemp)) == Path(home)


async def test_a_followed_log_gives_its_end_and_then_what_is_added(tmp_path: Path) -> None:
    log = tmp_path / "redis.log"
    log.write_text("one\ntwo\nthree\n")
    lines = tail([log], lines=2, follow=True)

    seen = [await anext(lines), await anext(lines)]
    with log.open("a") as more:
        more.write("four\nhalf")
    async with asyncio.timeout(30):
        seen.append(await anext(lines))

    assert seen == [("redis", "two"), ("redis", "three"), ("redis", "four")]
    await lines.aclose()


def test_the_end_of_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none.log", 40) == []
