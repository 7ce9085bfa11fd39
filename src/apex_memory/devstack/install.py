"""An installation in, its missing programs built or fetched out, each pinned and written into a manifest.

The only step that touches a registry: `up` never downloads anything.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from apex_memory.devstack.installation import (
    NEO4J,
    TEMPORAL_CLI,
    Installation,
    apt_command,
    java_release,
    program_version,
)
from apex_memory.devstack.manifest import Installed, digest, read_manifest, record
from apex_memory.devstack.neo4j_archive import build_archive
from apex_memory.domain.errors import DependencyMissing, PermanentError
from apex_memory.settings import process_environment

OUTPUT_LINES: Final = 20
_TEMPORAL: Final = f"github.com/temporalio/cli/cmd/temporal@v{TEMPORAL_CLI}"
# The version is pinned too: without one, Maven takes what its own release happens to name.
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
_POM: Final = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>apex</groupId>
  <artifactId>neo4j-jars</artifactId>
  <version>1</version>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{NEO4J}</version></dependency>
  </dependencies>
</project>
"""


class InstallFailed(PermanentError):
    """A build or a package installation ended with an error."""

    def __init__(self, name: str, output: str) -> None:
        self.name = name
        super().__init__(f"installing {name} failed:\n{output}")


@dataclass(frozen=True)
class Step:
    """One program.

    `find` raises DependencyMissing where it is missing, `build` makes it, `version` says which one was found.
    `pinned`: built by us, in exactly this version; empty: whatever supported one the machine has.
    """

    name: str
    find: Callable[[], Path]
    build: Callable[[], None]
    version: Callable[[Path], str]
    pinned: str = ""


def steps(installation: Installation) -> tuple[Step, ...]:
    """Everything that the stack runs; each needs at most those before it."""
    return (
        Step("java", installation.java, _cannot_build, java_release),
        Step("postgres", installation.postgres_server, partial(_apt_install, "postgresql"), program_version),
        Step("redis", installation.redis, partial(_apt_install, "redis-server"), program_version),
        _pinned("neo4j", NEO4J, installation.neo4j_jars, partial(_build_neo4j, installation)),
        _neo4j_archive(installation),
        _pinned("temporal", TEMPORAL_CLI, installation.temporal, partial(_build_temporal, installation)),
    )


def install_step(step: Step, installation: Installation) -> Installed:
    """Make the program unless it is there; returns its line of the manifest.

    Raises:
        DependencyMissing: a tool is missing; says what to type.
        InstallFailed: a tool gave up; says what it said.
    """
    installation.bin.mkdir(parents=True, exist_ok=True)
    installation.lib.mkdir(parents=True, exist_ok=True)
    if not os.access(installation.bin, os.W_OK):
        raise InstallFailed(
            step.name, f"{installation.bin} is not yours; set APEX_HOME to a directory that is"
        )
    known = read_manifest(installation.manifest).get(step.name)
    path = _found(step)
    if path is None or (step.pinned and (known is None or known.version != step.pinned)):
        step.build()
        path = step.find()
    elif known and (known.path, known.version) == (str(path), step.version(path)):
        return known
    entry = Installed(name=step.name, version=step.version(path), path=str(path), sha256=digest(path))
    record(installation.manifest, entry)
    return entry


def _pinned(name: str, version: str, find: Callable[[], Path], build: Callable[[], None]) -> Step:
    return Step(name, find, build, lambda _: version, pinned=version)


def _neo4j_archive(installation: Installation) -> Step:
    """Pinned to the Java that wrote it: another one would not read it, and start twice as slowly."""
    try:
        java = java_release(installation.java())
    except DependencyMissing:
        java = "none"
    version = f"{NEO4J} on Java {java}"
    build = partial(build_archive, installation)
    return _pinned("neo4j-archive", version, installation.neo4j_archive, build)


def _cannot_build() -> None:
    """The machine's business; `find` says what to type."""


def _found(step: Step) -> Path | None:
    try:
        return step.find()
    except DependencyMissing:
        return None


def _build_temporal(installation: Installation) -> None:
    go = _tool("go", "Go 1.24 or newer", f"{apt_command('golang-go')}\n  or see https://go.dev/dl")
    with tempfile.TemporaryDirectory(dir=installation.bin) as draft:
        _run(
            "temporal",
            (go, "install", "-ldflags", "-s -w", _TEMPORAL),
            {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOBIN": draft},
            directory=draft,
        )
        Path(draft, "temporal").replace(installation.bin / "temporal")


def _build_neo4j(installation: Installation) -> None:
    maven = _tool("mvn", "Maven", apt_command("maven"))
    target = installation.lib / "neo4j"
    with tempfile.TemporaryDirectory(dir=installation.lib) as draft:
        Path(draft, "pom.xml").write_text(_POM)
        jars = Path(draft, "jars")
        # -C: a jar whose checksum is not the registry's ends the build.
        command = (maven, "-q", "-B", "-C", _COPY, "-DincludeScope=runtime", f"-DoutputDirectory={jars}")
        _run("neo4j", command, {}, directory=draft)
        shutil.rmtree(target, ignore_errors=True)
        installation.neo4j_archive_file.unlink(missing_ok=True)  # it is of the former jars
        jars.rename(target)


def _apt_install(package: str) -> None:
    """Debian's own service of that name may start; it has its own port and data, and we touch neither."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise DependencyMissing(package, apt_command(package))
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    _run(package, ("apt-get", "update"), quiet, directory="/")
    _run(package, ("apt-get", "install", "-y", "--no-install-recommends", package), quiet, directory="/")


def _tool(program: str, name: str, remedy: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise DependencyMissing(name, remedy)
    return found


def _run(name: str, command: Sequence[str], variables: Mapping[str, str], *, directory: str) -> None:
    ended = subprocess.run(  # noqa: S603 - our own commands
        command,
        cwd=directory,
        env={**process_environment(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise InstallFailed(name, "\n".join(ended.stdout.splitlines()[-OUTPUT_LINES:]))
