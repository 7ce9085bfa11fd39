"""A home in, its stack started, attached to or stopped out: the caller's side of the supervisor."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from apex_memory.devstack.assembly import stop_leftovers
from apex_memory.devstack.catalogue import ALL
from apex_memory.devstack.endpoints import Endpoints, endpoints_in, read_env_file
from apex_memory.devstack.environment import child_environment
from apex_memory.devstack.home import Home, last_lines
from apex_memory.devstack.places import erase
from apex_memory.devstack.processes import ProcessIdentity, identify, is_alive, stop
from apex_memory.devstack.service import ServiceFailed
from apex_memory.devstack.state import UP, Phase, ServiceState, StackState, read_state
from apex_memory.devstack.wishes import wish
from apex_memory.domain.errors import PermanentError
from apex_memory.settings import apex_home

LOG_LINES: Final = 40
UP_DEADLINE_S: Final = 480.0  # all deadlines of a chain of needs
DOWN_DEADLINE_S: Final = 120.0
_LOOK_S: Final = 0.05
_SILENCE_S: Final = 5.0


def unobserved(_: StackState) -> None:
    """The observer of a caller who only waits."""


class HomeInUse(PermanentError):
    """A home with the data of a lasting stack was named for a temporary one."""

    def __init__(self, home: Path) -> None:
        self.home = home
        super().__init__(
            f"{home} keeps the data of a stack that `apex dev up` started, and a test run would delete it; "
            "start that stack, or choose another home"
        )


class Stack:
    """One per home. `installed` is where `install` put its programs, by default the user's own home."""

    def __init__(
        self,
        home: Path,
        *,
        services: Sequence[str] = ALL,
        installed: Path | None = None,
        temporary: bool = False,
    ) -> None:
        self.home = Home(home.resolve())
        self.services = tuple(services)
        self.installed = (installed or apex_home()).resolve()
        self._temporary = temporary

    def state(self) -> StackState:
        return read_state(self.home.state_file)

    async def up(self, *, observe: Callable[[StackState], None] = unobserved) -> Endpoints:
        """Start the services, or attach to those that run and add the missing; returns when all are ready.

        Raises:
            ServiceFailed: with the end of the failed service's log.
            HomeInUse: a temporary stack would delete what a lasting one has remembered here.
        """
        self.home.create()
        before = await self._settled()
        self._refuse_to_endanger(before)
        asked = time.time()
        spawned = None if before.running else await self._spawn()
        await self._until_up(asked, spawned, observe)
        return endpoints_in(read_env_file(self.home.env_file))

    async def down(self) -> None:
        """Stop the supervisor, and with it everything; mends a home whose supervisor was killed."""
        state = self.state()
        if state.supervisor:
            await stop(state.supervisor, patience_s=DOWN_DEADLINE_S)
        await stop_leftovers(self.state())

    async def reset(self) -> None:
        """`down`, then delete all data; ports, logs and installed programs stay."""
        await self.down()
        await asyncio.to_thread(erase, self.home, self.state().places)

    def _refuse_to_endanger(self, state: StackState) -> None:
        lasting = state.supervisor is not None and not state.temporary
        if self._temporary and lasting and not state.running:
            raise HomeInUse(self.home.root)

    async def _settled(self) -> StackState:
        """The state, once a stack that is on its way down is gone."""
        while True:
            state = self.state()
            if not (state.running and state.phase in {Phase.STOPPING, Phase.FAILED}):
                return state
            await asyncio.sleep(_LOOK_S)

    async def _spawn(self) -> ProcessIdentity | None:
        # fmt: off
        command = (
            sys.executable, "-P", "-m", "apex_memory.devstack.daemon",
            "--home", str(self.home.root),
            "--installed", str(self.installed),
            "--services", ",".join(self.services),
            *(("--temporary",) if self._temporary else ()),
        )
        # fmt: on
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.home.root,
            env=child_environment(self.installed, self.home.root),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        return identify(int(output)) if process.returncode == 0 else None

    async def _until_up(
        self, asked: float, spawned: ProcessIdentity | None, observe: Callable[[StackState], None]
    ) -> None:
        begun = time.monotonic()
        wished = False
        while time.monotonic() - begun < UP_DEADLINE_S:
            state = self.state()
            if state.supervisor and state.running:
                observe(state)
                if self._is_up(state):
                    return
                if state.phase is Phase.READY:
                    self._raise_failed(state, asked)
                    wished = wished or self._wish_for_missing(state)
            elif state.supervisor == spawned or self._is_lost(spawned, begun):
                break
            await asyncio.sleep(_LOOK_S)
        self._raise_failed(self.state(), asked)
        raise ServiceFailed("supervisor", self._with_log("it is not there", self.home.supervisor_log))

    def _is_up(self, state: StackState) -> bool:
        mine = (state.services.get(name, ServiceState()) for name in self.services)
        return state.phase is Phase.READY and all(service.phase in UP for service in mine)

    def _raise_failed(self, state: StackState, asked: float) -> None:
        """Raise if a service failed since it was asked for."""
        for name, service in state.services.items():
            if service.phase is Phase.FAILED and service.since >= asked:
                raise ServiceFailed(name, self._with_log(service.reason, self.home.log(name)))
        if state.phase is Phase.FAILED and not state.running:
            raise ServiceFailed("stack", self._with_log(state.reason, self.home.supervisor_log))

    def _wish_for_missing(self, state: StackState) -> bool:
        gone = {Phase.STOPPED, Phase.FAILED}
        running = {name for name, service in state.services.items() if service.phase not in gone}
        missing = [name for name in self.services if name not in running]
        if missing and state.supervisor:
            wish(self.home, missing, state.supervisor)
        return bool(missing)

    def _is_lost(self, spawned: ProcessIdentity | None, begun: float) -> bool:
        """Whether no supervisor can be expected any more: ours ended, and nobody else's took its place."""
        return not is_alive(spawned) and time.monotonic() - begun > _SILENCE_S

    def _with_log(self, reason: str, log: Path) -> str:
        lines = "\n".join(f"  {line}" for line in last_lines(log, LOG_LINES))
        return f"{reason}\nThe end of {log}:\n{lines or '  (empty)'}"
