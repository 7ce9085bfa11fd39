"""A home and service names in, a detached supervisor out: `python -m apex_memory.devstack.daemon --home DIR`.

Prints the supervisor's pid and returns. It runs until SIGTERM or, if temporary, until nobody uses it.
"""

import argparse
import asyncio
import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, TextIO

LOCK_PATIENCE_S: Final = 2.0


def main() -> None:
    arguments = _arguments()
    pid = os.fork()
    if pid:
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        os._exit(0)
    os.setsid()
    _redirect(arguments.home / "logs" / "supervisor.log")
    with (arguments.home / "lock").open("w") as lock:
        if not _locked(lock):
            return
        # Imported after the fork: no library may start a thread before it.
        from apex_memory.devstack.serving import serve

        asyncio.run(
            serve(
                arguments.home,
                installed=arguments.installed,
                names=arguments.services.split(","),
                temporary=arguments.temporary,
            )
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="apex_memory.devstack.daemon")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--installed", type=Path, required=True)
    parser.add_argument("--services", required=True)
    parser.add_argument("--temporary", action="store_true")
    return parser.parse_args()


def _redirect(log: Path) -> None:
    nowhere = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(nowhere, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)


def _locked(lock: TextIO) -> bool:
    """False if another supervisor has this home, and goes on having it."""
    deadline = time.monotonic() + LOCK_PATIENCE_S
    while time.monotonic() < deadline:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.05)
    return False


if __name__ == "__main__":
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    main()
