"""Programs that are found, built once, pinned, and remembered with their digest."""

import os
from pathlib import Path

import pytest

from apex_memory.devstack.doctor import diagnose
from apex_memory.devstack.install import InstallFailed, Step, install_step, steps
from apex_memory.devstack.installation import (
    NEO4J,
    TEMPORAL_CLI,
    Installation,
    apt_command,
    java_release,
)
from apex_memory.devstack.manifest import digest, read_manifest
from apex_memory.devstack.stack import Stack
from apex_memory.domain.errors import DependencyMissing


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def program(installation: Installation, version: str, built: list[str]) -> Step:
    """A pinned program whose build writes its version into a file."""
    path = installation.bin / "program"

    def find() -> Path:
        if not path.exists():
            raise DependencyMissing("program", "apex dev install")
        return path

    def build() -> None:
        built.append(version)
        path.write_text(version)

    return Step("program", find, build, lambda _: version, pinned=version)


def on_path(directory: Path, monkeypatch: pytest.MonkeyPatch, **scripts: str) -> None:
    """Only these programs can be found."""
    for name, source in scripts.items():
        (directory / name).write_text(f"#!/bin/sh\n{source}\n")
        (directory / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(directory))


def step_named(name: str, installation: Installation) -> Step:
    return next(step for step in steps(installation) if step.name == name)


def test_a_missing_program_is_built_and_remembered(installation: Installation) -> None:
    built: list[str] = []

    entry = install_step(program(installation, "1.0", built), installation)

    assert built == ["1.0"]
    assert read_manifest(installation.manifest) == {"program": entry}
    assert entry.sha256 == digest(installation.bin / "program")


def test_an_installed_program_is_not_built_again(installation: Installation) -> None:
    built: list[str] = []
    first = install_step(program(installation, "1.0", built), installation)

    second = install_step(program(installation, "1.0", built), installation)

    assert built == ["1.0"]
    assert second == first


def test_another_pinned_version_is_built(installation: Installation) -> None:
    built: list[str] = []
    install_step(program(installation, "1.0", built), installation)

    entry = install_step(program(installation, "2.0", built), installation)

    assert built == ["1.0", "2.0"]
    assert entry.version == "2.0"


def test_a_program_that_nobody_remembers_installing_is_built(installation: Installation) -> None:
    built: list[str] = []
    installation.bin.mkdir()
    (installation.bin / "program").write_text("who knows")

    install_step(program(installation, "1.0", built), installation)

    assert built == ["1.0"]


def test_the_digest_of_a_directory_is_that_of_its_files_and_their_names(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x.jar").write_text("1")
    (tmp_path / "b" / "x.jar").write_text("1")
    (tmp_path / "c" / "y.jar").write_text("1")

    assert digest(tmp_path / "a") == digest(tmp_path / "b") != digest(tmp_path / "c")


@pytest.mark.parametrize(
    ("step", "command"),
    [
        ("java", "apt-get install -y --no-install-recommends openjdk-17-jre-headless"),
        ("neo4j", "apt-get install -y --no-install-recommends maven"),
        ("temporal", "apt-get install -y --no-install-recommends golang-go"),
    ],
)
def test_a_missing_tool_is_named_with_the_command_that_installs_it(
    step: str, command: str, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch)

    with pytest.raises(DependencyMissing) as raised:
        install_step(step_named(step, installation), installation)

    assert command in raised.value.remedy


def test_temporal_is_built_by_go_from_the_pinned_version(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = 'echo "$@ $GOTOOLCHAIN $CGO_ENABLED" > "$GOBIN/temporal"'
    on_path(tmp_path, monkeypatch, go=go)

    install_step(step_named("temporal", installation), installation)

    assert (installation.bin / "temporal").read_text().strip() == (
        f"install -ldflags -s -w github.com/temporalio/cli/cmd/temporal@v{TEMPORAL_CLI} local 0"
    )


def test_neo4j_is_copied_by_maven_in_the_pinned_version(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mvn = """
        for argument; do case $argument in -DoutputDirectory=*) jars=${argument#*=};; esac; done
        PATH=/bin:/usr/bin
        mkdir "$jars"
        cp pom.xml "$jars/x.jar"
    """
    on_path(tmp_path, monkeypatch, mvn=mvn)

    install_step(step_named("neo4j", installation), installation)

    pom = (installation.lib / "neo4j" / "x.jar").read_text()
    assert f"<artifactId>neo4j</artifactId><version>{NEO4J}</version>" in pom


def test_a_build_that_fails_says_what_the_tool_said(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch, go="echo module not found; exit 1")

    with pytest.raises(InstallFailed, match="module not found"):
        install_step(step_named("temporal", installation), installation)

    assert not (installation.bin / "temporal").exists()


@pytest.mark.parametrize(("release", "supported"), [("17.0.15", True), ("21.0.2", True), ("25", False)])
def test_java_is_used_in_the_versions_that_neo4j_names(
    release: str,
    *,
    supported: bool,
    installation: Installation,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "jdk" / "bin").mkdir(parents=True)
    (tmp_path / "jdk" / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{release}"\n')
    on_path(tmp_path / "jdk" / "bin", monkeypatch, java="exit 0")

    found = supported
    try:
        installation.java()
    except DependencyMissing:
        found = False

    assert java_release(tmp_path / "jdk" / "bin" / "java") == release
    assert found is supported


def test_an_old_redis_is_refused(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch, **{"redis-server": "echo Redis server v=5.0.3 sha=0"})

    with pytest.raises(DependencyMissing, match="Redis 6 or newer"):
        installation.redis()


@pytest.mark.parametrize(("euid", "sudo"), [(0, ""), (1000, "sudo ")])
def test_the_command_for_debian_is_one_that_the_user_may_type(
    euid: int, sudo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pretended() -> int:
        return euid

    monkeypatch.setattr(os, "geteuid", pretended)

    assert apt_command("redis-server") == f"{sudo}apt-get install -y --no-install-recommends redis-server"


async def test_the_doctor_names_what_is_missing_and_what_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch)

    findings = {f.subject: f for f in await diagnose(Stack(tmp_path / "home", installed=tmp_path / "home"))}

    assert findings["temporal"].remedy == "apex dev install"
    assert "apt-get install" in findings["redis"].remedy
    assert findings["disk"].said.endswith(f"{tmp_path / 'home'}")


async def test_the_doctor_notices_that_an_installed_program_was_changed(installation: Installation) -> None:
    built: list[str] = []
    install_step(program(installation, TEMPORAL_CLI, built), installation)
    manifest = installation.manifest.read_text().replace("program", "temporal")
    installation.manifest.write_text(manifest)
    (installation.bin / "temporal").write_text("something else")

    findings = {f.subject: f for f in await diagnose(Stack(installation.root, installed=installation.root))}

    assert "was changed" in findings["temporal"].said
