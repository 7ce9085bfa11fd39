"""Group commit: every caller waits for a sync that began after it asked."""

import asyncio
import threading

from apex_memory.devstack.vectors.commit import GroupCommit


class Disk:
    """A sync that takes as long as the test wants."""

    def __init__(self) -> None:
        self.begun = 0
        self.turn = threading.Semaphore(0)
        self.began = threading.Semaphore(0)

    def sync(self) -> None:
        self.begun += 1
        self.began.release()
        self.turn.acquire()


async def test_all_that_ask_during_one_sync_share_the_next() -> None:
    disk = Disk()
    commit = GroupCommit(disk.sync)
    first = asyncio.create_task(commit())
    await asyncio.to_thread(disk.began.acquire)
    later = [asyncio.create_task(commit()) for _ in range(20)]
    await asyncio.sleep(0)

    disk.turn.release()
    await first
    still_waiting = not any(task.done() for task in later)
    disk.turn.release()
    await asyncio.gather(*later)

    assert still_waiting
    assert disk.begun == 2


async def test_a_caller_that_gives_up_does_not_take_the_sync_of_the_others_with_it() -> None:
    disk = Disk()
    commit = GroupCommit(disk.sync)
    impatient, patient = asyncio.create_task(commit()), asyncio.create_task(commit())
    await asyncio.to_thread(disk.began.acquire)

    impatient.cancel()
    disk.turn.release()
    await patient

    assert disk.begun == 1
    assert impatient.cancelled()


async def test_a_failed_sync_fails_everyone_who_waited_for_it_and_not_the_next() -> None:
    failures = [OSError("disk full")]

    def sync() -> None:
        if failures:
            raise failures.pop()

    commit = GroupCommit(sync)

    outcomes = await asyncio.gather(commit(), commit(), return_exceptions=True)
    await commit()

    assert [str(outcome) for outcome in outcomes] == ["disk full", "disk full"]


async def test_a_later_caller_is_not_served_by_a_sync_that_is_over() -> None:
    syncs: list[int] = []
    commit = GroupCommit(lambda: syncs.append(1))

    await commit()
    await commit()

    assert len(syncs) == 2
