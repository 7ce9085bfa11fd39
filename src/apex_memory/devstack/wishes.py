"""Names of services in, the same names out at the supervisor, which starts what it does not run yet."""

import os
import signal
from collections.abc import Iterable

from apex_memory.devstack.home import Home
from apex_memory.devstack.processes import ProcessIdentity, signal_process


def wish(home: Home, names: Iterable[str], supervisor: ProcessIdentity) -> None:
    """Several callers may wish at once; no wish is lost."""
    with home.wish_file.open("a") as file:
        file.write("".join(f"{name}\n" for name in names))
    signal_process(supervisor, signal.SIGHUP)


def take_wishes(home: Home) -> tuple[str, ...]:
    """All that was wished for since the last time."""
    taken = home.wish_file.with_suffix(".taken")
    try:
        os.replace(home.wish_file, taken)  # noqa: PTH105 - its error is what says that there is none
    except FileNotFoundError:
        return ()
    return tuple(dict.fromkeys(taken.read_text().split()))
