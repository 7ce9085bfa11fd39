"""Environment and `$APEX_HOME/apex.env` in, one frozen Settings out; the only reader of the environment."""

import os
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from apex_memory.domain.errors import SettingMissing

ENV_PREFIX = "APEX_"
#: Records whose steps take milliseconds each; of more, a step takes long enough to be looked at.
SMALL_BATCH: Final = 16


def apex_home() -> Path:
    """Where the development stack keeps binaries, data, logs and `apex.env`: `$APEX_HOME`, else `./.apex`."""
    return Path(os.environ.get("APEX_HOME") or ".apex").resolve()  # noqa: TID251 - the one reader


class Settings(BaseSettings):
    """What a process needs to know. Variables win over `$APEX_HOME/apex.env`, which `apex dev up` writes."""

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, frozen=True, extra="ignore")

    postgres_url: str = Field(description="postgresql://user@host:port/database")
    qdrant_url: str = Field(description="http://host:port")
    neo4j_url: str = Field(description="bolt://host:port")
    redis_url: str = Field(description="redis://host:port/0")
    temporal_address: str = Field(description="host:port of the Temporal frontend")

    neo4j_user: str = "neo4j"
    neo4j_password: SecretStr | None = None
    qdrant_api_key: SecretStr | None = None
    temporal_namespace: str = "default"
    temporal_ui_url: str = ""
    api_url: str = "http://127.0.0.1:8080"
    api_key: SecretStr | None = Field(default=None, description="the key that the apex CLI sends")

    secrets_key: SecretStr | None = Field(
        default=None, description="Fernet keys with commas between; the first seals secrets, all open them"
    )
    source_api_urls: str = Field(
        default="", description="source=url with commas between: where else sources' own APIs may be asked"
    )

    queue_prefix: str = "apex"
    staging_dir: Path = Field(default_factory=lambda: apex_home() / "data" / "staging")
    max_record_bytes: Annotated[int, Field(gt=0)] = 1 << 20
    max_document_bytes: Annotated[int, Field(gt=0)] = 64 << 20
    rate_limit_per_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=1000.0, description="what a tenant, and a webhook endpoint, may send to one process; 0: all"
    )

    openai_api_key: SecretStr | None = None
    openai_base_url: str = "https://api.openai.com/v1"
    openai_embedding_model: str = "text-embedding-3-small"
    openai_embedding_dim: Annotated[int, Field(gt=0)] = 1536
    embed_model_dir: Path | None = Field(
        default=None, description="all-MiniLM-L6-v2 files; default: the wheel"
    )

    embed_threads: Annotated[int, Field(gt=0)] = Field(default=2, description="cores the local model may use")

    read_deadline_s: Annotated[float, Field(gt=0)] = Field(
        default=2.0, description="what one store gets to answer a reader, who then goes on without it"
    )
    relay_batch_size: Annotated[int, Field(gt=0)] = 200
    relay_in_flight: Annotated[int, Field(gt=0)] = Field(
        default=2,
        description="batches of one tenant and source at a time; the next one grows meanwhile",
    )
    relay_at_once: Annotated[int, Field(gt=0)] = Field(
        default=8, description="batches under way at a time, of all tenants; some four for each core"
    )
    relay_small_batch: Annotated[int, Field(ge=0)] = Field(
        default=SMALL_BATCH,
        description="so many records at most have their steps taken by the workflow's own worker; 0: none",
    )
    zombie_window_s: Annotated[float, Field(gt=0)] = Field(
        default=600.0, description="after this long, a writer that was taken for dead writes no more"
    )

    # Upkeep. Intervals are those of schedules in Temporal; a changed one holds once a worker starts.
    reap_every_s: Annotated[float, Field(ge=1)] = 30.0
    reap_after_s: Annotated[float, Field(gt=0)] = Field(
        default=300.0, description="twice what an attempt of the write may take, and a little"
    )
    sweep_every_s: Annotated[float, Field(ge=1)] = 60.0
    sweep_after_s: Annotated[float, Field(gt=0)] = Field(
        default=300.0, description="how long a workflow is left to clean up behind itself"
    )
    collect_every_s: Annotated[float, Field(ge=1)] = 60.0
    grace_s: Annotated[float, Field(gt=0)] = Field(
        default=300.0, description="how long a superseded version is kept for readers at an older snapshot"
    )
    reconcile_every_s: Annotated[float, Field(ge=1)] = 3600.0
    reconcile_sample: Annotated[int, Field(gt=0)] = Field(
        default=20, description="one of so many versions has its content compared, not only its ids"
    )
    expire_staging_every_s: Annotated[float, Field(ge=1)] = 3600.0
    staging_ttl_s: Annotated[float, Field(gt=0)] = 7 * 86400.0

    graceful_shutdown_s: Annotated[float, Field(ge=0)] = 20.0
    metrics_address: str = Field(default="", description="host:port for Prometheus; empty: off")
    failpoints: str = Field(default="", description="where calls over ports fail on purpose; empty: nowhere")
    log_level: str = "INFO"
    log_json: bool = True

    @field_validator("grace_s")
    @classmethod
    def _outlasts_two_reads(cls, grace_s: float, info: ValidationInfo) -> float:
        # A reader holds its snapshot through all its legs: what it was promised must not go meanwhile.
        least = 2 * float(info.data.get("read_deadline_s", 0))
        if grace_s < least:
            raise ValueError(f"a grace below twice the longest read ({least:g} s) tears answers apart")
        return grace_s


def load_settings() -> Settings:
    """Read the settings once, at a process's start.

    Raises:
        SettingMissing: names every variable that is absent or malformed, and where it may be set.
    """
    env_file = apex_home() / "apex.env"
    try:
        # pydantic fills the required fields from the environment.
        return Settings(_env_file=env_file)  # pyright: ignore[reportCallIssue]
    except ValidationError as exc:
        problems = [f"{ENV_PREFIX}{str(e['loc'][0]).upper()}: {e['msg'].lower()}" for e in exc.errors()]
        raise SettingMissing(problems, env_file=str(env_file)) from exc


def process_environment() -> dict[str, str]:
    """A copy of the environment, for the child processes of the development stack."""
    return dict(os.environ)  # noqa: TID251 - the one reader
