"""A home and its last state in, the site of a new start out: leftovers gone, ports and addresses settled."""

import secrets
import signal
from collections.abc import Mapping
from typing import Final

from apex_memory.devstack.catalogue import PORT_NAMES, SETTINGS
from apex_memory.devstack.endpoints import (
    Endpoints,
    endpoints_in,
    own_endpoints,
    read_env_file,
    write_env_file,
)
from apex_memory.devstack.environment import child_environment
from apex_memory.devstack.home import Home, write_private
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import assign_ports
from apex_memory.devstack.places import postgres_places
from apex_memory.devstack.processes import is_alive, stop
from apex_memory.devstack.services.postgres import postgres_account
from apex_memory.devstack.site import Site
from apex_memory.devstack.state import Journal, StackState
from apex_memory.pipeline.intake.seal import new_key
from apex_memory.settings import ENV_PREFIX, process_environment

LEFTOVER_PATIENCE_S: Final = 30.0
_SECRETS_KEY: Final = f"{ENV_PREFIX}SECRETS_KEY"


async def stop_leftovers(state: StackState) -> list[str]:
    """Stop what a supervisor that was killed left running; exactly the recorded processes, and no other."""
    stopped: list[str] = []
    for name, service in state.services.items():
        if service.process is not None and is_alive(service.process):
            await stop(service.process, first=signal.SIGINT, patience_s=LEFTOVER_PATIENCE_S)
            stopped.append(name)
    return stopped


def settle(home: Home, installation: Installation, journal: Journal) -> Site:
    """Choose ports, find out which services were given by URL, write `apex.env`."""
    environment = child_environment(installation.root, home.root)
    kept = journal.state.ports
    places = postgres_places(home, installation, postgres_account())
    password = _postgres_password(home)
    ports = assign_ports(PORT_NAMES, kept=kept)
    own = own_endpoints(home, ports=ports, postgres_password=password)
    former = own_endpoints(home, ports={**ports, **kept}, postgres_password=password)
    given = _given(environment, former)
    endpoints = own.model_copy(update={SETTINGS[name]: url for name, url in given.items()})
    journal.note(ports=ports, places=places)
    kept_key = read_env_file(home.env_file).get(_SECRETS_KEY)
    own_key = {} if environment.get(_SECRETS_KEY) else {_SECRETS_KEY: kept_key or new_key()}
    write_env_file(home.env_file, {**endpoints.environment(), **own_key})
    return Site(
        home=home,
        installation=installation,
        ports=ports,
        endpoints=endpoints,
        environment={
            **environment,
            **endpoints.environment(),
            **own_key,
            f"{ENV_PREFIX}HOME": str(home.root),
        },
        given=frozenset(given),
        places=places,
    )


def site_of(home: Home, installation: Installation, state: StackState) -> Site:
    """The site of a stack that was started before, to look at it; changes nothing."""
    variables = read_env_file(home.env_file)
    return Site(
        home=home,
        installation=installation,
        ports=state.ports,
        endpoints=endpoints_in(variables),
        environment={**process_environment(), **variables},
        places=state.places,
    )


def _given(environment: Mapping[str, str], former: Endpoints) -> dict[str, str]:
    """Services whose URL is in the environment; a shell that has read our own `apex.env` gives us nothing."""
    ours = former.environment()
    found: dict[str, str] = {}
    for name, setting in SETTINGS.items():
        variable = f"{ENV_PREFIX}{setting.upper()}"
        url = environment.get(variable)
        if url and url != ours[variable]:
            found[name] = url
    return found


def _postgres_password(home: Home) -> str:
    file = home.data / "postgres.password"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24))
    return file.read_text()
