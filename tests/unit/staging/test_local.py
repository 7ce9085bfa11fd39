"""Objects written, read and removed on a real disk, with links, pipes and limits in the way."""

import asyncio
import errno
import os
import resource
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from tests.contracts.staging_contract import StagingContract

from apex_memory.domain.errors import StagedObjectMissing, StoreUnavailable
from apex_memory.pipeline.staging._folders import told_as_unavailable
from apex_memory.pipeline.staging._keys import StagingKeyRejected
from apex_memory.pipeline.staging.local import LocalStaging, StagedObjectTooLarge

KEY: Final = "acme/samsara/batch-1/records.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "staging"


@pytest.fixture
def staging(root: Path) -> LocalStaging:
    return LocalStaging(root, max_bytes=1 << 20, min_free_bytes=0)


class TestLocalStaging(StagingContract):
    pass


async def test_what_is_written_is_read(staging: LocalStaging) -> None:
    await staging.write(KEY, b"bytes")

    assert await staging.read(KEY) == b"bytes"


async def test_an_object_may_be_empty(staging: LocalStaging) -> None:
    await staging.write(KEY, b"")

    assert await staging.read(KEY) == b""


async def test_writing_again_replaces_the_whole_object(staging: LocalStaging) -> None:
    await staging.write(KEY, b"long before")
    await staging.write(KEY, b"now")

    assert await staging.read(KEY) == b"now"


async def test_only_the_owner_may_look(staging: LocalStaging, root: Path) -> None:
    await staging.write(KEY, b"bytes")

    folders = [root, root / "acme", root / "acme/samsara", root / "acme/samsara/batch-1"]
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert stat.S_IMODE((root / KEY).stat().st_mode) == 0o600


async def test_nothing_but_the_object_is_left_in_its_folder(staging: LocalStaging, root: Path) -> None:
    await staging.write(KEY, b"bytes")

    assert names_in((root / KEY).parent) == ["records.json"]


async def test_concurrent_writers_leave_one_whole_object(staging: LocalStaging, root: Path) -> None:
    contents = [bytes([n]) * 100_000 for n in range(8)]

    await asyncio.gather(*(staging.write(KEY, content) for content in contents))

    assert await staging.read(KEY) in contents
    assert names_in((root / KEY).parent) == ["records.json"]


@pytest.mark.parametrize("key", [KEY, "acme/samsara/batch-1/other.json", "acme/turvo/x/y"])
async def test_what_was_never_written_is_missing(staging: LocalStaging, key: str) -> None:
    await staging.write("acme/samsara/batch-2/records.json", b"bytes")

    with pytest.raises(StagedObjectMissing):
        await staging.read(key)


async def test_an_area_that_does_not_exist_yet_is_empty(staging: LocalStaging, root: Path) -> None:
    await staging.remove("acme")

    with pytest.raises(StagedObjectMissing):
        await staging.read(KEY)
    assert "staging" not in names_in(root.parent)


async def test_two_tenants_are_apart(staging: LocalStaging) -> None:
    await staging.write("acme/samsara/b/x", b"acme's")
    await staging.write("bolt/samsara/b/x", b"bolt's")

    await staging.remove("acme")

    assert await staging.read("bolt/samsara/b/x") == b"bolt's"
    with pytest.raises(StagedObjectMissing):
        await staging.read("acme/samsara/b/x")


async def test_tenants_that_differ_in_case_only_are_apart(staging: LocalStaging) -> None:
    await staging.write("acme/samsara/b/x", b"lower")
    await staging.write("Acme/samsara/b/x", b"upper")

    assert await staging.read("acme/samsara/b/x") == b"lower"


async def test_removing_takes_all_below_the_prefix_and_nothing_beside_it(staging: LocalStaging) -> None:
    for key in (KEY, "acme/samsara/batch-1/vectors.npy", "acme/samsara/batch-10/records.json"):
        await staging.write(key, b"bytes")

    await staging.remove("acme/samsara/batch-1")

    assert await staging.read("acme/samsara/batch-10/records.json") == b"bytes"
    for name in ("records.json", "vectors.npy"):
        with pytest.raises(StagedObjectMissing):
            await staging.read(f"acme/samsara/batch-1/{name}")


async def test_removing_again_is_fine(staging: LocalStaging) -> None:
    await staging.write(KEY, b"bytes")

    for prefix in (KEY, KEY, "acme/samsara/batch-1", "acme/samsara/batch-1", "acme", "acme"):
        await staging.remove(prefix)


async def test_concurrent_removals_do_not_disturb_each_other(staging: LocalStaging) -> None:
    for n in range(20):
        await staging.write(f"acme/samsara/batch-1/{n}", b"bytes")

    await asyncio.gather(*(staging.remove("acme/samsara/batch-1") for _ in range(8)))

    with pytest.raises(StagedObjectMissing):
        await staging.read("acme/samsara/batch-1/0")


async def test_a_folder_is_as_old_as_the_last_object_in_it(staging: LocalStaging, root: Path) -> None:
    await staging.write(KEY, b"old")
    await staging.write("acme/samsara/batch-2/records.json", b"new")
    an_hour_ago = time.time() - 3600
    os.utime((root / KEY).parent, (an_hour_ago, an_hour_ago))

    assert await staging.folders(older_than_s=1800, after=None, limit=9) == ["acme/samsara/batch-1"]
    await staging.write("acme/samsara/batch-1/vectors.npy", b"newer")
    assert await staging.folders(older_than_s=1800, after=None, limit=9) == []


async def test_what_is_listed_can_be_removed_whatever_its_name(staging: LocalStaging, root: Path) -> None:
    for key in ("Acme/samsara/b/x", "ac%me/Möbel GmbH/b/x", "acme/~odd/b/x"):
        await staging.write(key, b"bytes")

    for prefix in await staging.folders(older_than_s=0, after=None, limit=9):
        await staging.remove(prefix)

    assert [name for source in root.glob("*/*") for name in names_in(source)] == []


async def test_what_nobody_could_name_or_that_is_a_link_is_not_listed(
    staging: LocalStaging, root: Path, tmp_path: Path
) -> None:
    await staging.write(KEY, b"bytes")
    await staging.write(f"{'A' * 200}/samsara/b/x", b"its folder is named by a hash")
    for stranger in ("acme/samsara/%zz", "acme/samsara/Upper", "acme/samsara/.hidden"):
        (root / stranger).mkdir()
    (root / "acme/samsara/file").write_bytes(b"no folder")
    (root / "acme/samsara/link").symlink_to(tmp_path)

    assert await staging.folders(older_than_s=0, after=None, limit=9) == ["acme/samsara/batch-1"]


async def test_an_area_that_does_not_exist_yet_has_no_folders(staging: LocalStaging) -> None:
    assert await staging.folders(older_than_s=0, after=None, limit=9) == []


@pytest.mark.parametrize("prefix", ["", ".", "..", "acme/../..", "/", "/tmp", "acme/samsara/batch-1/x/y"])  # noqa: S108 - a hostile prefix
async def test_a_prefix_that_leads_elsewhere_is_rejected(staging: LocalStaging, prefix: str) -> None:
    await staging.write(KEY, b"bytes")

    with pytest.raises(StagingKeyRejected):
        await staging.remove(prefix)
    assert await staging.read(KEY) == b"bytes"


@pytest.mark.parametrize(
    "key", ["../../etc/passwd", "acme/samsara/../x", "/etc/passwd", "acme/samsara/b/x\x00"]
)
async def test_a_key_that_leads_elsewhere_is_rejected(staging: LocalStaging, root: Path, key: str) -> None:
    with pytest.raises(StagingKeyRejected):
        await staging.write(key, b"bytes")
    with pytest.raises(StagingKeyRejected):
        await staging.read(key)
    assert "staging" not in names_in(root.parent)


async def test_a_planted_link_is_not_read(staging: LocalStaging, root: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    await staging.write(KEY, b"bytes")
    (root / "acme/samsara/batch-1/link").symlink_to(secret)
    (root / "acme/turvo").symlink_to(root / "acme/samsara")

    for key in ("acme/samsara/batch-1/link", "acme/turvo/batch-1/records.json"):
        with pytest.raises(StagedObjectMissing):
            await staging.read(key)


async def test_a_planted_link_is_replaced_and_never_written_through(
    staging: LocalStaging, root: Path, tmp_path: Path
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    await staging.write(KEY, b"bytes")
    (root / "acme/samsara/batch-1/link").symlink_to(victim)

    await staging.write("acme/samsara/batch-1/link", b"new")

    assert victim.read_bytes() == b"untouched"
    assert await staging.read("acme/samsara/batch-1/link") == b"new"


async def test_a_folder_that_is_a_link_is_never_entered(
    staging: LocalStaging, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "batch-1").mkdir(parents=True)
    (outside / "batch-1" / "records.json").write_bytes(b"untouched")
    root.joinpath("acme").mkdir(parents=True)
    (root / "acme/samsara").symlink_to(outside)

    with pytest.raises(StoreUnavailable):
        await staging.write(KEY, b"bytes")
    with pytest.raises(StoreUnavailable):
        await staging.remove("acme/samsara/batch-1")
    assert (outside / "batch-1" / "records.json").read_bytes() == b"untouched"


async def test_removing_takes_links_and_leaves_what_they_point_at(
    staging: LocalStaging, root: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"untouched")
    await staging.write(KEY, b"bytes")
    (root / "acme/samsara/batch-1/folder").symlink_to(outside)
    (root / "acme/samsara/batch-1/file").symlink_to(outside / "file")

    await staging.remove("acme/samsara")

    assert not (root / "acme/samsara").exists()
    assert (outside / "file").read_bytes() == b"untouched"


async def test_a_pipe_or_folder_in_an_objects_place_is_no_object(staging: LocalStaging, root: Path) -> None:
    await staging.write(KEY, b"bytes")
    os.mkfifo(root / "acme/samsara/batch-1/pipe")
    (root / "acme/samsara/batch-1/folder").mkdir()

    for name in ("pipe", "folder"):
        with pytest.raises(StagedObjectMissing):
            await staging.read(f"acme/samsara/batch-1/{name}")


async def test_an_object_above_the_limit_is_refused(root: Path) -> None:
    staging = LocalStaging(root, max_bytes=4, min_free_bytes=0)

    await staging.write(KEY, b"1234")
    with pytest.raises(StagedObjectTooLarge):
        await staging.write(KEY, b"12345")

    assert await staging.read(KEY) == b"1234"


async def test_a_disk_that_is_nearly_full_takes_nothing_more(root: Path) -> None:
    staging = LocalStaging(root, max_bytes=1 << 20, min_free_bytes=1 << 62)

    with pytest.raises(StoreUnavailable, match="stay free"):
        await staging.write(KEY, b"bytes")
    with pytest.raises(StagedObjectMissing):
        await staging.read(KEY)


async def test_a_write_cut_short_by_the_disk_leaves_the_object_as_it_was(
    staging: LocalStaging, root: Path
) -> None:
    await staging.write(KEY, b"before")

    with files_no_larger_than(64 << 10), pytest.raises(StoreUnavailable, match="staging is unavailable"):
        await staging.write(KEY, b"x" * (128 << 10))

    assert await staging.read(KEY) == b"before"
    assert names_in((root / KEY).parent) == ["records.json"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS])
def test_a_failing_disk_is_told_as_unavailable(code: int) -> None:
    with pytest.raises(StoreUnavailable) as caught, told_as_unavailable():
        raise OSError(code, os.strerror(code))

    assert (caught.value.store, caught.value.reason) == ("staging", os.strerror(code))


async def test_no_descriptor_stays_open(staging: LocalStaging) -> None:
    await staging.write(KEY, b"warm up the thread pool")
    before = len(names_in(Path("/proc/self/fd")))

    for _ in range(50):
        await staging.write(KEY, b"bytes")
        await staging.read(KEY)
        await staging.remove("acme/samsara/batch-1")

    assert len(names_in(Path("/proc/self/fd"))) <= before + 5


def names_in(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


@contextmanager
def files_no_larger_than(limit: int) -> Generator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
