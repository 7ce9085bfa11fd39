"""Links and commands as JSON lines on standard input in, proxied services out: a process of its own.

The harness's clients would otherwise wait in the same event loop as every byte of the product.
"""

import asyncio
import os
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final

import orjson
import uvloop
from tests.chaos.campaign.links import Fault, Link
from tests.chaos.campaign.processes import dying_with_parent

DONE: Final = b"done\n"


@dataclass(frozen=True)
class Wire:
    """Where a link listens, and what is behind it."""

    name: str
    listen: int
    upstream: int


class Proxy:
    """The process, as its parent sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def start(cls, wires: list[Wire]) -> "Proxy":
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            preexec_fn=dying_with_parent(os.getpid()),
        )
        proxy = cls(process)
        await proxy.say([asdict(wire) for wire in wires])
        return proxy

    async def become(self, link: str, fault: Fault) -> None:
        await self.say({"link": link, **asdict(fault)})

    async def say(self, command: Any) -> None:
        """Returns when it is done."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        async with self._one_at_a_time:
            stdin.write(orjson.dumps(command) + b"\n")
            await stdin.drain()
            answer = await stdout.readline()
        if answer != DONE:
            raise RuntimeError(f"the proxy ended, or said {answer!r}")

    async def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


async def _serve() -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin.buffer
    )
    wires = [Wire(**wire) for wire in orjson.loads(await lines.readline())]
    links = {w.name: Link(w.name, listen=w.listen, upstream=w.upstream) for w in wires}
    for link in links.values():
        await link.open()
    _done()
    while line := await lines.readline():
        command = orjson.loads(line)
        await links[command.pop("link")].become(Fault(**command))
        _done()


def _done() -> None:
    sys.stdout.buffer.write(DONE)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    uvloop.run(_serve())
