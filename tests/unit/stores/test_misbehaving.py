"""The store that fails on demand fails as planned, and only as planned."""

import pytest
from tests.contracts.store_contract import assert_holds_exactly, assert_holds_nothing_of, manifest_of
from tests.contracts.writes import message, write_of

from apex_memory.domain.bundles import Manifest
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.testing import Fault, MemoryStore, Misbehaving, always, scripted, seeded

WRITES = [write_of("acme", message(f"msg-{n}")) for n in range(4)]
REFS = [write.ref for write in WRITES]


async def test_a_fault_before_leaves_nothing() -> None:
    store = MemoryStore("postgres")

    with pytest.raises(StoreUnavailable):
        await Misbehaving(store, always(Fault.BEFORE)).prepare(WRITES)

    await assert_holds_nothing_of(store, *WRITES)


async def test_a_fault_after_has_applied_everything() -> None:
    store = MemoryStore("postgres")

    with pytest.raises(StoreUnavailable):
        await Misbehaving(store, always(Fault.AFTER)).prepare(WRITES)

    await assert_holds_exactly(store, *WRITES)


async def test_a_partial_prepare_tears_the_batch_and_each_write_in_it() -> None:
    store = MemoryStore("postgres")

    with pytest.raises(StoreUnavailable):
        await Misbehaving(store, always(Fault.PARTLY)).prepare(WRITES)

    torn = [await manifest_of(store, write) for write in WRITES[:2]]
    assert all(0 < manifest.count < len(store.parts(WRITES[0])) for manifest in torn)
    await assert_holds_nothing_of(store, *WRITES[2:])


async def test_a_partial_discard_leaves_some() -> None:
    store = MemoryStore("postgres")
    await store.prepare(WRITES)

    with pytest.raises(StoreUnavailable):
        await Misbehaving(store, always(Fault.PARTLY)).discard("acme", REFS)

    await assert_holds_nothing_of(store, *WRITES[:2])
    await assert_holds_exactly(store, *WRITES[2:])


async def test_a_script_fails_the_calls_it_lists_and_no_other() -> None:
    store = Misbehaving(MemoryStore("postgres"), scripted("prepare", Fault.BEFORE, Fault.NONE, Fault.AFTER))

    await store.ping()
    for expected in (False, True, False, True):
        assert await succeeds(store) is expected


async def test_a_seed_repeats_its_faults() -> None:
    first, second = (
        [plan("prepare") for _ in range(200)] for plan in (seeded(7, rate=0.3), seeded(7, rate=0.3))
    )

    assert first == second
    assert set(first) == set(Fault)


async def test_reads_of_a_lost_answer_raise_too() -> None:
    store = Misbehaving(MemoryStore("postgres"), scripted("read_back", Fault.AFTER))

    with pytest.raises(StoreUnavailable):
        await store.read_back("acme", REFS)

    assert await store.read_back("acme", REFS) == dict.fromkeys(REFS, Manifest.of(()))


async def succeeds(store: Misbehaving) -> bool:
    try:
        await store.prepare(WRITES)
    except StoreUnavailable:
        return False
    return True
