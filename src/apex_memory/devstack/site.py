"""All that the definition of a service may look at: places, programs, ports, addresses, environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from apex_memory.devstack.endpoints import Endpoints
from apex_memory.devstack.home import Home
from apex_memory.devstack.installation import Installation


@dataclass(frozen=True)
class Site:
    """`ports` by name, `environment` for child processes, `given` services that run elsewhere.

    `places` are directories that cannot be where they belong, below the home.
    """

    home: Home
    installation: Installation
    ports: Mapping[str, int]
    endpoints: Endpoints
    environment: Mapping[str, str]
    given: frozenset[str] = frozenset()
    places: Mapping[str, str] = field(default_factory=dict[str, str])

    def directory(self, name: str) -> Path:
        """Where a service keeps its data."""
        return Path(self.places.get(name, self.home.data / name))
