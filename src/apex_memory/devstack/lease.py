"""A file in, shared use of a temporary stack out; the kernel returns the lease of a process that dies."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def held(lease_file: Path) -> Generator[None]:
    """Use the stack together with others."""
    with lease_file.open("w") as lease:
        fcntl.flock(lease, fcntl.LOCK_SH)
        yield


@contextmanager
def nobody_holds(lease_file: Path) -> Generator[bool]:
    """Whether nobody uses the stack; if so, nobody can begin to while this lasts."""
    with lease_file.open("w") as lease:
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
