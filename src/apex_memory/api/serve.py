"""Settings and an address in, a serving process until it is told to end."""

from types import FrameType

import uvicorn
from fastapi import FastAPI

from apex_memory.api.app import create_app
from apex_memory.api.state import Draining
from apex_memory.observability import configure_logging
from apex_memory.settings import Settings


def serve(settings: Settings, *, host: str, port: int) -> None:
    """On SIGTERM or SIGINT: accept nothing more, finish what is open within `graceful_shutdown_s`, close."""
    configure_logging(settings, process="api")
    draining = Draining()
    app = create_app(settings, draining=draining)
    server_of(app, draining, host=host, port=port, graceful_s=settings.graceful_shutdown_s).run()


def server_of(app: FastAPI, draining: Draining, *, host: str, port: int, graceful_s: float) -> uvicorn.Server:
    """A server, not yet started; the first signal that it gets begins the draining."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        # Not uvloop: of a connection that a store cuts between two writes, it tells the drivers with a bare
        # RuntimeError, which none of them takes for an outage.
        loop="asyncio",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(graceful_s)),
    )
    return _Server(config, draining)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, draining: Draining) -> None:
        super().__init__(config)
        self._draining = draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._draining.begin()
        super().handle_exit(sig, frame)
