"""Two ways for a service not to be there: nobody listens, or somebody who never answers."""

import socket
from collections.abc import Generator

import pytest

CLOSED = "127.0.0.1:1"


@pytest.fixture(params=["closed", "silent"])
def dead_address(request: pytest.FixtureRequest) -> Generator[str]:
    """host:port that refuses connections, or that takes them and says nothing."""
    if request.param == "closed":
        yield CLOSED
        return
    # Never accepted: the kernel completes the connection all the same.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"
