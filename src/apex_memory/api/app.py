"""Settings in, the HTTP application out: its routes, its edges, and what it opens and closes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from apex_memory.api import (
    connections,
    documents,
    endpoints,
    entities,
    feeds,
    forgettings,
    health,
    hooks,
    ingestions,
    mappings,
    records,
    search,
)
from apex_memory.api.errors import install_error_handlers
from apex_memory.api.progress import Streams
from apex_memory.api.state import Draining
from apex_memory.api.tracing import RequestTracing
from apex_memory.bootstrap.memory import Memory, open_memory
from apex_memory.settings import Settings

_DESCRIPTION: Final = """
Send records and documents; search and follow what they say.

A `2xx` means durable. Whatever was sent is findable in every store or in none. The tenant is the API key's.
Every error is `application/problem+json` and carries the `X-Request-Id` that finds it in the logs.
"""
_TAGS: Final = [
    {"name": "intake", "description": "Send something in, and see how it fares."},
    {"name": "webhooks", "description": "Let others push: endpoints, what came to them, and its replay."},
    {"name": "reading", "description": "Ask at a snapshot: no answer mixes two moments."},
    {"name": "forgetting", "description": "Take something out again, with a receipt."},
    {"name": "health", "description": "For supervisors and load balancers; without a key."},
]

#: In the order in which the API is described.
_MODULES: Final = (
    *(records, documents, hooks, endpoints, ingestions, search, entities, forgettings, health),
    *(connections, feeds, mappings),
)

Opened = Callable[[Settings], AbstractAsyncContextManager[Memory]]


def create_app(
    settings: Settings, *, opened: Opened = open_memory, draining: Draining | None = None
) -> FastAPI:
    """The memory is opened when the server starts and closed after its last request."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
        async with opened(settings) as memory:
            app.state.memory = memory
            yield

    # The same, with /docs from this process instead of a CDN.
    app = FastAPIOffline(
        title="Apex Memory",
        version=version("apex-memory"),
        summary="A memory that never half-remembers.",
        description=_DESCRIPTION,
        openapi_tags=_TAGS,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.draining = draining or Draining()
    app.state.streams = Streams()
    app.add_middleware(RequestTracing)
    install_error_handlers(app)
    for module in _MODULES:
        app.include_router(module.router)
    return app
