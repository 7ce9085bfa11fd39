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
