"""What the supervisor knows, written to `state.json` at every change, read by everyone else."""

import time
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from apex_memory.devstack.home import write_private
from apex_memory.devstack.processes import ProcessIdentity, is_alive
from apex_memory.domain.value import Value


class Phase(StrEnum):
    """Where a service, or the whole stack, stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"
    EXTERNAL = "external"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


UP = frozenset({Phase.READY, Phase.DONE, Phase.EXTERNAL})


class _Noted(Value):
    """A supervisor of another version may have written it, and may still be running."""

    model_config = ConfigDict(extra="ignore")


class ServiceState(_Noted):
    """`since`: when the phase began, Unix seconds. `took_s`: from the first preparation to readiness."""

    phase: Phase = Phase.WAITING
    process: ProcessIdentity | None = None
    restarts: int = 0
    since: float = 0.0
    took_s: float | None = None
    reason: str = ""
    endpoints: dict[str, str] = Field(default_factory=dict[str, str])


class StackState(_Noted):
    """Ports and places outlive the supervisor, so that a stack comes back where it was."""

    phase: Phase = Phase.STOPPED
    supervisor: ProcessIdentity | None = None
    temporary: bool = False
    reason: str = ""
    services: dict[str, ServiceState] = Field(default_factory=dict[str, ServiceState])
    ports: dict[str, int] = Field(default_factory=dict[str, int])
    places: dict[str, str] = Field(default_factory=dict[str, str])

    @property
    def running(self) -> bool:
        """Whether the supervisor that wrote this is alive."""
        return is_alive(self.supervisor)


def read_state(path: Path) -> StackState:
    """The last state written; an empty one if there is none."""
    return StackState.model_validate_json(path.read_text()) if path.exists() else StackState()


class Journal:
    """The one writer of `state.json`."""

    def __init__(self, path: Path, state: StackState) -> None:
        self._path = path
        self._state = state

    @property
    def state(self) -> StackState:
        return self._state

    def note(self, **changes: Any) -> None:  # noqa: ANN401 - the fields of StackState, checked by pydantic
        """Change the stack's own fields."""
        self._state = StackState.model_validate({**dict(self._state), **changes})
        write_private(self._path, self._state.model_dump_json(indent=1))

    def note_service(self, name: str, phase: Phase, **changes: Any) -> None:  # noqa: ANN401 - of ServiceState
        """Move a service to a phase; its other fields stay unless given."""
        before = self._state.services.get(name, ServiceState())
        after = ServiceState.model_validate({**dict(before), **changes, "phase": phase, "since": time.time()})
        self.note(services={**self._state.services, name: after})
