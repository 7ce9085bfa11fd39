"""Log files in, their ends out, and with patience all that is added."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Final

from apex_memory.devstack.home import last_lines

_LOOK_S: Final = 0.25


async def tail(logs: Sequence[Path], *, lines: int, follow: bool) -> AsyncGenerator[tuple[str, str]]:
    """(name of the log, line): the last `lines` of each, then, if `follow`, each new one for ever."""
    ends = {log: log.stat().st_size if log.exists() else 0 for log in logs}
    for log in logs:
        for line in last_lines(log, lines):
            yield log.stem, line
    while follow:
        await asyncio.sleep(_LOOK_S)
        for log in logs:
            added, ends[log] = _added(log, ends[log])
            for line in added:
                yield log.stem, line


def _added(log: Path, since: int) -> tuple[list[str], int]:
    """Whole lines written after `since`, and where they end; a log that shrank was rotated: read anew."""
    if not log.exists():
        return [], 0
    with log.open("rb") as file:
        file.seek(since if log.stat().st_size >= since else 0)
        begin = file.tell()
        text = file.read()
    whole = text[: text.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), begin + len(whole)
