"""A directory in, the programs of the stack out: built there by `install`, or found on the machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apex_memory.domain.errors import DependencyMissing

TEMPORAL_CLI: Final = "1.5.1"
TEMPORAL_SERVER: Final = "1.29.1"
NEO4J: Final = "5.26.29"
POSTGRES_OLDEST: Final = 15
REDIS_OLDEST: Final = 6
JAVA_SUPPORTED: Final = ("17", "21")  # Neo4j 5.26 names no other

_INSTALL: Final = "apex dev install"
_DEBIAN_POSTGRES: Final = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Installation:
    """Separate from a stack's home, so that many stacks on one machine share one installation."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    @property
    def lib(self) -> Path:
        return self.root / "lib"

    @property
    def manifest(self) -> Path:
        return self.bin / "manifest.json"

    def temporal(self) -> Path:
        """The Temporal CLI that `install` built. None of a machine's own: its schema and flags are pinned."""
        return _existing("the Temporal CLI", self.bin / "temporal", remedy=_INSTALL)

    def neo4j_jars(self) -> Path:
        return _existing("Neo4j", self.lib / "neo4j", remedy=_INSTALL)

    @property
    def neo4j_archive_file(self) -> Path:
        """Neo4j's classes, parsed; see `services/neo4j.py`."""
        return self.lib / "neo4j.jsa"

    def neo4j_archive(self) -> Path:
        return _existing("Neo4j's class archive", self.neo4j_archive_file, remedy=_INSTALL)

    def java(self) -> Path:
        found = shutil.which("java")
        major = java_release(Path(found)).partition(".")[0] if found else ""
        if found is None or major not in JAVA_SUPPORTED:
            raise DependencyMissing("Java 17 or 21", apt_command("openjdk-17-jre-headless"))
        return Path(found)

    def postgres(self) -> Path:
        """The directory that holds `postgres` and `initdb`."""
        for directory in _postgres_directories():
            if (directory / "initdb").exists() and _major(directory / "postgres") >= POSTGRES_OLDEST:
                return directory
        raise DependencyMissing(f"PostgreSQL {POSTGRES_OLDEST} or newer", apt_command("postgresql"))

    def postgres_server(self) -> Path:
        return self.postgres() / "postgres"

    def redis(self) -> Path:
        found = shutil.which("redis-server")
        if found is None or _major(Path(found)) < REDIS_OLDEST:
            raise DependencyMissing(f"Redis {REDIS_OLDEST} or newer", apt_command("redis-server"))
        return Path(found)


def apt_command(*packages: str) -> str:
    """What a user types who is asked to install a Debian package."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y --no-install-recommends {' '.join(packages)}"


def java_release(java: Path) -> str:
    """The version, from the `release` file beside every JDK; empty if there is none."""
    release = java.resolve().parent.parent / "release"
    found = re.search(r'JAVA_VERSION="([^"]+)', release.read_text()) if release.exists() else None
    return found.group(1) if found else ""


def program_version(program: Path) -> str:
    """What a program says to --version, numbers only."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)  # noqa: S603 - our own list of programs
    found = re.search(r"(\d+(?:\.\d+)+)", said.stdout)
    return found.group(1) if found else ""


def _existing(name: str, path: Path, *, remedy: str) -> Path:
    if not path.exists():
        raise DependencyMissing(name, remedy)
    return path


def _postgres_directories() -> Iterable[Path]:
    found = shutil.which("postgres")
    if found:
        yield Path(found).resolve().parent
    versions = [p for p in _DEBIAN_POSTGRES.glob("*") if p.name.isdecimal()]
    for version in sorted(versions, key=lambda p: int(p.name), reverse=True):
        yield version / "bin"


def _major(program: Path) -> int:
    version = program_version(program) if program.exists() else ""
    return int(version.partition(".")[0] or 0)
