"""An installation and a stack in, findings out: what is wrong on this machine, and what to type."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from apex_memory.devstack.health import examine
from apex_memory.devstack.install import Step, steps
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import is_free
from apex_memory.devstack.manifest import digest, read_manifest
from apex_memory.devstack.services.postgres import postgres_account
from apex_memory.devstack.stack import Stack
from apex_memory.devstack.state import Phase
from apex_memory.domain.errors import DependencyMissing
from apex_memory.domain.value import Value

DISK_NEEDED_GB: Final = 4.0
MEMORY_NEEDED_GB: Final = 2.0
_GB: Final = 1 << 30


class Finding(Value):
    """`remedy` is empty if there is nothing to do."""

    subject: str
    said: str
    remedy: str = ""


async def diagnose(stack: Stack) -> list[Finding]:
    """Programs, account, disk, memory, ports, and each service of a running stack."""
    installation = Installation(stack.installed)
    findings = [_program(step, installation) for step in steps(installation)]
    findings += [_account(), _disk(stack.home.root), _memory()]
    if not stack.state().running:
        return [*findings, *_ports(stack)]
    healths = await examine(stack)
    return [
        *findings,
        *(
            Finding(
                subject=health.name,
                said=health.said or "answers",
                remedy="" if health.healthy else f"apex dev logs {health.name}",
            )
            for health in healths
            if health.phase is not Phase.DONE
        ),
    ]


def _program(step: Step, installation: Installation) -> Finding:
    try:
        path = step.find()
    except DependencyMissing as exc:
        return Finding(subject=step.name, said="is missing", remedy=exc.remedy)
    known = read_manifest(installation.manifest).get(step.name)
    if step.pinned and (known is None or known.version != step.pinned):
        return Finding(subject=step.name, said=f"is not {step.pinned}", remedy="apex dev install")
    if step.pinned and known and digest(path) != known.sha256:
        return Finding(
            subject=step.name, said=f"{path} was changed", remedy=f"rm -r {path} && apex dev install"
        )
    return Finding(subject=step.name, said=f"{step.version(path)} at {path}")


def _account() -> Finding:
    try:
        account = postgres_account()
    except DependencyMissing as exc:
        return Finding(subject="account", said=str(exc), remedy=exc.remedy)
    return Finding(subject="account", said="postgres runs as user postgres" if account else "no root needed")


def _disk(root: Path) -> Finding:
    free = shutil.disk_usage(_nearest(root)).free / _GB
    remedy = (
        "" if free >= DISK_NEEDED_GB else f"free {DISK_NEEDED_GB:.0f} GB, or set APEX_HOME to another disk"
    )
    return Finding(subject="disk", said=f"{free:.1f} GB free at {root}", remedy=remedy)


def _memory() -> Finding:
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / (1 << 20)
    remedy = "" if available >= MEMORY_NEEDED_GB else f"free {MEMORY_NEEDED_GB:.0f} GB; Neo4j alone takes 0.5"
    return Finding(subject="memory", said=f"{available:.1f} GB available", remedy=remedy)


def _ports(stack: Stack) -> Iterator[Finding]:
    """A kept port that is taken is no harm, but explains why addresses move."""
    for name, port in stack.state().ports.items():
        if not is_free(port):
            yield Finding(subject="ports", said=f"{port} ({name}) is in use; the next `up` takes another")


def _nearest(path: Path) -> Path:
    return next(p for p in (path, *path.parents) if p.exists())
