"""This machine in; what it can do to a service, and why not what it cannot, out."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.chaos.campaign.disks import LoopDisk

MEMORY_CGROUP: Final = Path("/sys/fs/cgroup/memory")

_SHIFT_C: Final = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

static time_t shift(void) {
    const char *said = getenv("APEX_CHAOS_SHIFT_S");
    return said ? (time_t)atoll(said) : 0;
}
int clock_gettime(clockid_t id, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, at);
    if (code == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
    return code;
}
int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    int code = clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return code;
}
time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}
"""


@dataclass(frozen=True)
class Machine:
    """For each need of a fault, why it cannot be met here; empty if it can.

    clock: a library that shifts the wall clock of a process that is started with it.
    """

    lacks: dict[str, str]
    clock: Path | None


def look(work: Path) -> Machine:
    """Try out what a fault will need; `work` keeps what was built for it."""
    clock, no_clock = _clock(work)
    root = "" if os.geteuid() == 0 else "needs root"
    return Machine(
        lacks={
            "disk": root or _no_disk(),
            "strace": "" if shutil.which("strace") else "strace is not installed",
            "clock": no_clock,
            "memory": root or _no_memory_limit(),
        },
        clock=clock,
    )


def _clock(work: Path) -> tuple[Path | None, str]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None, "no C compiler for the 30 lines that shift a process's wall clock"
    library, source = work / "shift.so", work / "shift.c"
    source.write_text(_SHIFT_C)
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode:
        return None, f"the library that shifts the wall clock was not built: {built.stderr.strip()[:200]}"
    return library, ""


def _no_disk() -> str:
    with tempfile.TemporaryDirectory(prefix="apex-chaos-disk-") as folder:
        disk = LoopDisk(Path(folder) / "disk", size_mib=16)
        try:
            disk.make()
        except (OSError, subprocess.CalledProcessError) as exc:
            said = exc.stderr if isinstance(exc, subprocess.CalledProcessError) else str(exc)
            return f"no loop device can be mounted: {said!s:.200}"
        finally:
            disk.remove()
    return ""


def _no_memory_limit() -> str:
    if not (MEMORY_CGROUP / "memory.limit_in_bytes").exists():
        return "no cgroup (v1) that limits memory"
    probe = MEMORY_CGROUP / f"apex-chaos-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError as exc:
        return f"no cgroup can be made: {exc}"
    return ""
