"""A real server on a socket, told to end while somebody waits for an answer."""

import asyncio
import os
import signal
from collections.abc import Iterator
from uuid import UUID

import httpx
import pytest
from tests.unit.api.fakes import ALICE, KEYS
from tests.unit.api.serving import served
from tests.unit.api.world import SHIPMENT, World

from apex_memory.api.serve import server_of
from apex_memory.domain.ledger import Ingestion


@pytest.fixture
def survived() -> Iterator[list[int]]:
    """The signals that reached this process after the server had handled them."""
    signals: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: signals.append(number))
    yield signals
    signal.signal(signal.SIGTERM, before)


async def test_told_to_end_it_answers_who_waits_and_takes_nobody_new(
    world: World, survived: list[int]
) -> None:
    someone_waits = asyncio.Event()
    settled = world.inbox.settled

    async def noticed(tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        someone_waits.set()
        return await settled(tenant_id, event_id, timeout_s=timeout_s)

    world.inbox.settled = noticed
    async with served(world) as server, client(server.url) as alice, client(server.url) as late:
        accepted = await alice.post("/v1/records", json={"source": "turvo", "record": SHIPMENT})
        path = accepted.json()["status_url"]
        waiting = asyncio.create_task(alice.get(path, params={"wait_s": 30}))
        await someone_waits.wait()

        os.kill(os.getpid(), signal.SIGTERM)

        assert (await waiting).json()["state"] == "received"
        await server.ended
        with pytest.raises(httpx.ConnectError):
            await late.get("/livez")
    assert survived == [signal.SIGTERM]


def test_a_connection_that_is_cut_between_two_writes_is_no_bug_of_ours(world: World) -> None:
    """The drivers know how a closed connection looks on the loop that the server runs on."""
    config = server_of(world.app, world.draining, host="127.0.0.1", port=0, graceful_s=5).config

    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def write_twice() -> None:
        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as store:
            _, writer = await asyncio.open_connection(*store.sockets[0].getsockname())
            writer.transport.abort()
            await writer.wait_closed()
            writer.writelines([b"one", b"two"])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(write_twice())


def client(url: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {KEYS[ALICE]}"}
    return httpx.AsyncClient(base_url=url, headers=headers, trust_env=False)
