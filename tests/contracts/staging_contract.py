"""What every StagingArea keeps to; inherit, and give the fixture `staging`."""

import pytest
from tests.contracts.writes import fresh_tenant

from apex_memory.domain.errors import StagedObjectMissing
from apex_memory.ports import StagingArea


class StagingContract:
    async def test_what_was_written_is_read(self, staging: StagingArea) -> None:
        key = f"{fresh_tenant()}/frontapp/d1/records.json"

        await staging.write(key, bytes(range(256)))

        assert await staging.read(key) == bytes(range(256))

    async def test_what_was_written_last_is_read(self, staging: StagingArea) -> None:
        key = f"{fresh_tenant()}/frontapp/d1/records.json"

        await staging.write(key, b"a longer first try")
        await staging.write(key, b"")

        assert await staging.read(key) == b""

    async def test_a_key_that_was_never_written_is_missing(self, staging: StagingArea) -> None:
        with pytest.raises(StagedObjectMissing):
            await staging.read(f"{fresh_tenant()}/frontapp/d1/records.json")

    async def test_removing_a_folder_removes_all_in_it_and_nothing_beside_it(
        self, staging: StagingArea
    ) -> None:
        folder = f"{fresh_tenant()}/frontapp/d1"
        await staging.write(f"{folder}/records.json", b"1")
        await staging.write(f"{folder}/vectors.npy", b"2")
        await staging.write(f"{folder}0/records.json", b"3")

        await staging.remove(folder)

        for name in ("records.json", "vectors.npy"):
            with pytest.raises(StagedObjectMissing):
                await staging.read(f"{folder}/{name}")
        assert await staging.read(f"{folder}0/records.json") == b"3"

    async def test_removing_what_is_not_there_is_fine(self, staging: StagingArea) -> None:
        await staging.remove(f"{fresh_tenant()}/frontapp/d1")

    async def test_a_folder_is_listed_from_its_first_object_until_it_is_removed(
        self, staging: StagingArea
    ) -> None:
        tenant = fresh_tenant()
        await staging.write(f"{tenant}/frontapp/d1/records.json", b"1")
        await staging.write(f"{tenant}/frontapp/d1/vectors.npy", b"2")
        await staging.write(f"{tenant}/Acme GmbH/d2/upload", b"3")

        before = await _folders_of(staging, tenant)
        await staging.remove(f"{tenant}/Acme GmbH/d2")

        assert before == [f"{tenant}/Acme GmbH/d2", f"{tenant}/frontapp/d1"]
        assert await _folders_of(staging, tenant) == [f"{tenant}/frontapp/d1"]

    async def test_a_folder_that_was_just_written_to_is_not_old(self, staging: StagingArea) -> None:
        tenant = fresh_tenant()
        await staging.write(f"{tenant}/frontapp/d1/records.json", b"1")

        assert await _folders_of(staging, tenant, older_than_s=3600) == []

    async def test_folders_are_listed_page_by_page(self, staging: StagingArea) -> None:
        tenant = fresh_tenant()
        written = [f"{tenant}/frontapp/d{n}" for n in range(5)]
        for folder in written:
            await staging.write(f"{folder}/records.json", b"1")

        listed: list[str] = []
        while page := await staging.folders(older_than_s=0, after=listed[-1] if listed else tenant, limit=2):
            listed += page

        assert [folder for folder in listed if folder.startswith(tenant)] == written


async def _folders_of(staging: StagingArea, tenant: str, *, older_than_s: float = 0) -> list[str]:
    listed = await staging.folders(older_than_s=older_than_s, after=None, limit=1000)
    return [folder for folder in listed if folder.startswith(f"{tenant}/")]
