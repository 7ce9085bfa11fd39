"""A directory in, the places of one development stack out: binaries, data, logs, state."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

PRIVATE_FILE: Final = 0o600


@dataclass(frozen=True)
class Home:
    """One stack lives in one home; all it writes is below it (`places.py` has the one exception)."""

    root: Path

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state_file(self) -> Path:
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.root / "lock"

    @property
    def lease_file(self) -> Path:
        """Held, shared, by every test process that uses the stack."""
        return self.root / "lease"

    @property
    def wish_file(self) -> Path:
        """Names of services that a running supervisor shall start as well; read on SIGHUP."""
        return self.run / "wish"

    @property
    def env_file(self) -> Path:
        return self.root / "apex.env"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    def log(self, service: str) -> Path:
        return self.logs / f"{service}.log"

    def create(self) -> None:
        for directory in (self.root, self.data, self.run, self.logs):
            directory.mkdir(parents=True, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file that only its owner may read; a reader sees the old text or the new, never half."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=PRIVATE_FILE)
    draft.write_text(text)
    draft.replace(path)


def last_lines(path: Path, count: int) -> list[str]:
    """The end of a log; empty if there is no log. Reads at most 64 KiB."""
    if not path.exists():
        return []
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - 65536))
        return log.read().decode(errors="replace").splitlines()[-count:]
