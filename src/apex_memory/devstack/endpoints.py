"""Ports and given URLs in, the addresses of a stack out, also as `apex.env` for shells and processes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apex_memory.devstack.home import Home, write_private
from apex_memory.devstack.loopback import HOST
from apex_memory.domain.value import Value
from apex_memory.settings import ENV_PREFIX, Settings


class Endpoints(Value):
    """Every field is the setting of the same name."""

    postgres_url: str
    qdrant_url: str
    neo4j_url: str
    redis_url: str
    temporal_address: str
    temporal_ui_url: str
    api_url: str
    staging_dir: Path

    def settings(self, **more: Any) -> Settings:  # noqa: ANN401 - whatever the settings have
        """The settings of a process that uses the stack."""
        return Settings(**{**dict(self), **more})

    def environment(self) -> dict[str, str]:
        """As `APEX_*` variables."""
        return {f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in self}


def endpoints_in(variables: Mapping[str, str]) -> Endpoints:
    """From `APEX_*` variables, such as those of an `apex.env`."""
    names = {name: f"{ENV_PREFIX}{name.upper()}" for name in Endpoints.model_fields}
    return Endpoints.model_validate({name: variables[variable] for name, variable in names.items()})


def own_endpoints(home: Home, *, ports: Mapping[str, int], postgres_password: str) -> Endpoints:
    """Where the stack's own services listen."""
    return Endpoints(
        postgres_url=f"postgresql://apex:{postgres_password}@{HOST}:{ports['postgres']}/apex",
        qdrant_url=f"http://{HOST}:{ports['vectors']}",
        neo4j_url=f"bolt://{HOST}:{ports['neo4j']}",
        redis_url=f"redis://{HOST}:{ports['redis']}/0",
        temporal_address=f"{HOST}:{ports['temporal']}",
        temporal_ui_url=f"http://{HOST}:{ports['temporal-ui']}",
        api_url=f"http://{HOST}:{ports['api']}",
        staging_dir=home.data / "staging",
    )


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of an `apex.env`; empty if there is none."""
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text().splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def write_env_file(path: Path, changes: Mapping[str, str]) -> None:
    """Set these variables and keep all others, so that an API key or a line of the user's own survives."""
    variables = {**read_env_file(path), **changes}
    text = "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))
    write_private(path, f"# Written by `apex dev up`; other lines are kept.\n{text}")
