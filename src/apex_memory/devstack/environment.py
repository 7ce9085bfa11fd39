"""Our own environment in, that of the stack's processes out."""

import os
from pathlib import Path
from typing import Final

from apex_memory.settings import process_environment

_FORBIDDEN: Final = "PYTHONDONTWRITEBYTECODE"


def child_environment(installed: Path, home: Path) -> dict[str, str]:
    """A copy in which Python may keep its bytecode, in a place of ours where it may not do so elsewhere.

    Ten processes import the same 2,000 modules; without bytecode each takes 4 s of CPU for that instead of 2.
    """
    environment = process_environment()
    if environment.pop(_FORBIDDEN, None):
        lib = installed / "lib"
        cache = lib if os.access(lib, os.W_OK) else home / "run"
        environment["PYTHONPYCACHEPREFIX"] = str(cache / "bytecode")
    return environment
