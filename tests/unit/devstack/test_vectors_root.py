"""The root directory: collections are created and dropped whole, and it has one owner."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from apex_memory.devstack.vectors import disk
from apex_memory.devstack.vectors.app import create_app
from apex_memory.devstack.vectors.collection import Upkeep
from apex_memory.devstack.vectors.errors import AlreadyExists, BadRequest, NotFound, RootInUse
from apex_memory.devstack.vectors.root import Root

CONFIG: dict[str, object] = {"vectors": {"v": {"size": 2, "distance": "Dot"}}}


async def test_collections_are_found_again_by_the_names_they_were_given(tmp_path: Path) -> None:
    names = ["plain", "with space", "größe", ".hidden", "a%2Fb"]

    async with Root.opened(tmp_path, upkeep=Upkeep()) as root:
        for name in names:
            await root.create(name, CONFIG)
        await root.drop("plain")

    async with Root.opened(tmp_path, upkeep=Upkeep()) as root:
        assert root.names() == sorted(names[1:])
        with pytest.raises(NotFound):
            root.collection("plain")


async def test_a_collection_is_created_once(tmp_path: Path) -> None:
    async with Root.opened(tmp_path, upkeep=Upkeep()) as root:
        await root.create("c", CONFIG)

        with pytest.raises(AlreadyExists):
            await root.create("c", {})

        assert root.names() == ["c"]


async def test_a_refused_collection_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Root.opened(tmp_path, upkeep=Upkeep()) as root:
        with pytest.raises(BadRequest):
            await root.create("c", {"vectors": {"v": {"size": 0, "distance": "Dot"}}})

        assert "c" not in root
        assert [*(tmp_path / "making").iterdir()] == [*(tmp_path / "collections").iterdir()] == []


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a*", "x" * 256, "ü" * 50])
async def test_a_name_that_no_directory_could_have_is_refused(tmp_path: Path, name: str) -> None:
    async with Root.opened(tmp_path, upkeep=Upkeep()) as root:
        with pytest.raises(BadRequest, match="collection name"):
            await root.create(name, CONFIG)


def test_a_root_has_one_owner_until_it_lets_go(tmp_path: Path) -> None:
    with (
        disk.owned(tmp_path),
        pytest.raises(RootInUse, match="one process owns a root"),
        disk.owned(tmp_path),
    ):
        pass

    with disk.owned(tmp_path):
        pass


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "about.json"
    path.write_bytes(b"a much longer old content")

    disk.replace(path, b"new")

    assert path.read_bytes() == b"new"
    assert [*tmp_path.iterdir()] == [path]


async def test_it_is_not_ready_while_a_collection_takes_no_writes(tmp_path: Path) -> None:
    @asynccontextmanager
    async def opened() -> AsyncGenerator[Root]:
        async with Root.opened(tmp_path, upkeep=Upkeep()) as root:
            yield root

    app = create_app(opened, version="0")
    transport = httpx.ASGITransport(app)
    client = httpx.AsyncClient(transport=transport, base_url="http://vectors")
    async with app.router.lifespan_context(app), client as http:
        await http.put("/collections/c", json=CONFIG)
        before = await http.get("/readyz")
        (log,) = tmp_path.glob("collections/c/*/wal")
        log.rename(log.with_name("elsewhere"))
        point = {"points": [{"id": 1, "vector": {"v": [1, 2]}}]}
        refused = await http.put("/collections/c/points", json=point)
        after = [(await http.get(path)).status_code for path in ("/readyz", "/livez")]
        log.with_name("elsewhere").rename(log)

    assert (before.status_code, refused.status_code) == (200, 500)
    assert after == [503, 200]
