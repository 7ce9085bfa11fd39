"""Command-line arguments in, a running vector service out."""

import argparse
import signal
import socket
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
import uvicorn

from apex_memory.devstack.vectors.app import create_app
from apex_memory.devstack.vectors.collection import Upkeep
from apex_memory.devstack.vectors.disk import owned
from apex_memory.devstack.vectors.errors import RootInUse
from apex_memory.devstack.vectors.root import Root

_DEFAULT_PORT: Final = 6333
_GRACE_S: Final = 5
_log = structlog.get_logger()


def main() -> int:
    arguments = _arguments()
    _log_as_json()
    # uvicorn raises the signal again when it is done, which by default would look as if it had been killed.
    signal.signal(signal.SIGTERM, _exit)
    try:
        with owned(arguments.root):
            _serve(arguments)
    except RootInUse as exc:
        _log.error("vectors.refused", reason=str(exc))
        return 1
    return 0


def _exit(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            _log.info("vectors.ready", host=self.config.host, port=port)


def _serve(arguments: argparse.Namespace) -> None:
    upkeep = Upkeep(flush_every_s=arguments.flush_every, optimise_above=arguments.optimise_above)
    app = create_app(partial(Root.opened, arguments.root, upkeep=upkeep), version=_version())
    config = uvicorn.Config(
        app,
        host=arguments.host,
        port=arguments.port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=_GRACE_S,
    )
    _Server(config).run()


def _version() -> str:
    """A client warns when its minor version is more than one away from the server's."""
    major, minor, *_ = version("qdrant-client").split(".")
    return f"{major}.{minor}.0"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m apex_memory.devstack.vectors")
    parser.add_argument(
        "--root", type=Path, required=True, help="directory of the collections; one process owns it"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=_DEFAULT_PORT, help="0: any free port, see the log")
    parser.add_argument("--flush-every", type=float, default=Upkeep.flush_every_s, metavar="SECONDS")
    parser.add_argument("--optimise-above", type=int, default=Upkeep.optimise_above, metavar="POINTS")
    return parser.parse_args()


def _log_as_json() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
