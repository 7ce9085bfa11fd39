"""Circuit breaker and store outages, on the real services behind wires that are cut in mid-write."""

import asyncio
from collections.abc import AsyncGenerator, Collection, MutableMapping, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs
from temporalio.client import Client, WorkflowFailureError
from tests.chaos.campaign.links import Fault
from tests.chaos.outages import (
    BLACKHOLED,
    REFUSED,
    RESET,
    STORES,
    Interrupted,
    Scene,
    failing,
    failures_in_history,
    pending,
    scene,
)
from tests.integration.spoilt import Refusing
from tests.integration.workflows.product import at_work, settled

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.memory import open_memory
from apex_memory.database import Database
from apex_memory.domain.answers import SearchAnswer
from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.errors import CircuitOpen, EmbedderMismatch, StoreUnavailable
from apex_memory.domain.ledger import Ingestion, Outcome
from apex_memory.failpoints import with_failpoints
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Ledger, Store
from apex_memory.settings import Settings
from apex_memory.testing import Fault as StoreFault
from apex_memory.testing import Misbehaving, always

# A client whose handshake is cut off may leave its socket to the garbage collector; `scene` calls it.
pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    # The server may cancel an attempt that has just ended; raised, the warning would end the worker.
    pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning"),
]

KEY = "SHIP-77"
EVERYWHERE = dict.fromkeys(STORES, True)
NOWHERE = dict.fromkeys(STORES, 0)

Logged = Sequence[MutableMapping[str, Any]]
each_store = pytest.mark.parametrize("name", STORES)


@pytest.fixture
async def on(settings: Settings, temporal: Client) -> AsyncGenerator[Scene, None]:
    async with scene(settings, temporal) as opened:
        yield opened


class _Wiped(Misbehaving):
    """Loses all that `ensure` has made when it is told to."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, always(StoreFault.NONE))
        self.there = False

    async def ensure(self) -> None:
        await super().ensure()
        self.there = True

    async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
        if not self.there:
            raise StoreUnavailable(self.name, "404: there is no collection")
        await super().prepare(writes)


def _refusing(name: str, store: Store) -> Store:
    return Refusing(store) if store.name == name else store


async def _all_of_it(on: Scene, tenant: str, key: str = KEY, version: int = 1) -> bool:
    """Every store holds something of the version, and the ledger has it at one seq."""
    held = await on.held(tenant, key, version)
    return {name: count > 0 for name, count in held.items()} == EVERYWHERE


async def _ended(on: Scene, tenant: str, event_id: UUID) -> Ingestion:
    return await settled(on.memory, tenant, event_id)


async def _failed(on: Scene, tenant: str, event_id: UUID) -> Ingestion:
    handle = await on.workflow(tenant, event_id)
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    return await _ended(on, tenant, event_id)


def _statuses(answer: SearchAnswer) -> set[str | None]:
    return {fact.value for fact in answer.facts if fact.predicate == "has_status"}


def _of(logged: Logged, event: str) -> Logged:
    return [line for line in logged if line["event"] == event]


@each_store
@pytest.mark.parametrize("how", [REFUSED, BLACKHOLED, RESET], ids=lambda how: how.mode)
async def test_a_store_that_goes_away_in_mid_prepare_delays_one_whole_commit(
    on: Scene, tenant: str, name: str, how: Fault
) -> None:
    """Refused, blackholed or reset while it is written to: once it is back, the batch commits once."""
    cut = asyncio.Event()

    async def away() -> None:
        await on.cut(name, how)
        cut.set()

    def spoil(store: Store) -> Store:
        return Interrupted(store, "prepare", away) if store.name == name else store

    async with at_work(on.wired, on.temporal, spoil=spoil):
        event_id = await on.send(tenant, KEY)
        await cut.wait()
        handle = await on.workflow(tenant, event_id)
        if how is BLACKHOLED:
            await asyncio.sleep(1)
        else:
            await failing(handle, f"prepare_{name}_activity")
        assert (await on.memory.retrieval.search(tenant, KEY)).hits == ()
        await on.mend()
        ended = await _ended(on, tenant, event_id)

    answer = await on.memory.retrieval.search(tenant, KEY, min_seq=ended.seq)
    assert (ended.outcome, ended.version, ended.seq) == (Outcome.COMMITTED, 1, 1)
    assert await on.memory.ledger.snapshot(tenant) == 1
    assert await _all_of_it(on, tenant)
    assert (answer.missing, _statuses(answer)) == ((), {"in_transit"})


async def test_a_store_that_goes_away_before_it_was_verified_delays_the_commit(
    on: Scene, tenant: str
) -> None:
    """Prepared everywhere, then one store cannot be read back: nothing commits unverified, then all does."""

    def spoil(store: Store) -> Store:
        away = Interrupted(store, "read_back", lambda: on.cut("neo4j", REFUSED))
        return away if store.name == "neo4j" else store

    async with at_work(on.wired, on.temporal, spoil=spoil):
        event_id = await on.send(tenant, KEY)
        handle = await on.workflow(tenant, event_id)
        await failing(handle, "commit_versions_activity")
        assert await on.memory.ledger.snapshot(tenant) == 0
        await on.mend()
        ended = await _ended(on, tenant, event_id)

    assert (ended.outcome, ended.version, ended.seq) == (Outcome.COMMITTED, 1, 1)
    assert await _all_of_it(on, tenant)


@pytest.mark.parametrize("how", [REFUSED, RESET], ids=lambda how: how.mode)
async def test_postgresql_that_goes_away_at_the_commit_leaves_one_commit_or_none_and_then_one(
    on: Scene, tenant: str, how: Fault
) -> None:
    """What became of a commit is read again, never inferred: the batch ends committed, once."""

    class AtCommit:
        def __init__(self, ledger: Ledger) -> None:
            self._ledger = ledger
            self._cut = False

        def __getattr__(self, name: str) -> object:
            return getattr(self._ledger, name)

        async def commit(self, tenant_id: str, batch_id: UUID, *, verified: Collection[VersionRef]) -> object:
            if not self._cut:
                self._cut = True
                await on.cut("postgres", how)
            return await self._ledger.commit(tenant_id, batch_id, verified=verified)

    async with at_work(on.wired, on.temporal, spoil_ledger=AtCommit):  # pyright: ignore[reportArgumentType] - it delegates the rest
        event_id = await on.send(tenant, KEY)
        await failing(await on.workflow(tenant, event_id), "commit_versions_activity")
        await on.mend()
        ended = await _ended(on, tenant, event_id)

    assert (ended.outcome, ended.version, ended.seq) == (Outcome.COMMITTED, 1, 1)
    assert await on.memory.ledger.snapshot(tenant) == 1
    assert await _all_of_it(on, tenant)


async def test_lost_acknowledgements_and_half_writes_of_every_store_end_in_one_whole_commit(
    on: Scene, settings: Settings, tenant: str
) -> None:
    """Each store does half a prepare, then a whole one whose answer is lost: the version is there once."""
    points = {f"{name}.prepare.{moment}" for name in STORES for moment in ("before", "after")}
    plans = ";".join(f"{p}={'partly' if p.endswith('before') else 'lose'}" for p in points)

    with capture_logs() as logged:
        async with at_work(settings.model_copy(update={"failpoints": plans}), on.temporal):
            ended = await _ended(on, tenant, await on.send(tenant, KEY))

    assert {line["point"] for line in _of(logged, "failpoint.reached")} == points
    assert (ended.outcome, ended.version, ended.seq) == (Outcome.COMMITTED, 1, 1)
    assert await _all_of_it(on, tenant)
    assert await on.held(tenant, KEY, version=2) == NOWHERE


async def test_a_lost_acknowledgement_of_the_commit_makes_no_second_one(
    on: Scene, settings: Settings, database: Database, tenant: str
) -> None:
    """The commit happened and nobody heard of it: asked again, it answers the same, announced once."""

    def spoil(ledger: Ledger) -> Ledger:
        return with_failpoints("ledger", ledger, "ledger.commit.after=lose@1-3")

    with capture_logs() as logged:
        async with at_work(settings, on.temporal, spoil_ledger=spoil):
            event_id = await on.send(tenant, KEY)
            result = await (await on.workflow(tenant, event_id)).result()
            ended = await _ended(on, tenant, event_id)

    assert len(_of(logged, "failpoint.reached")) == 3
    assert (result["committed"], result["seq"]) == (1, 1)
    assert (ended.outcome, ended.version, ended.seq) == (Outcome.COMMITTED, 1, 1)
    assert await on.memory.ledger.snapshot(tenant) == 1
    assert await _versions(database, tenant) == {"committed": 1}


async def test_lost_acknowledgements_and_half_done_deletes_of_every_store_still_leave_nothing(
    on: Scene, settings: Settings, database: Database, tenant: str
) -> None:
    """Each delete is done by half, then wholly with its answer lost: in the end every store is clean."""
    points = {f"{name}.discard.{moment}" for name in STORES for moment in ("before", "after")}
    plans = ";".join(f"{p}={'partly' if p.endswith('before') else 'lose'}" for p in points)
    failing_deletes = settings.model_copy(update={"failpoints": plans})

    with capture_logs() as logged:
        async with at_work(failing_deletes, on.temporal, spoil=lambda s: _refusing("neo4j", s)):
            ended = await _failed(on, tenant, await on.send(tenant, KEY))

    assert {line["point"] for line in _of(logged, "failpoint.reached")} == points
    assert (ended.outcome, ended.version) == (Outcome.ABORTED, None)
    assert await on.held(tenant, KEY) == NOWHERE
    assert await _versions(database, tenant) == {"aborted": 1}


@each_store
async def test_an_outage_while_a_write_is_taken_back_delays_only_the_deletes(
    on: Scene, database: Database, tenant: str, name: str
) -> None:
    """One store refuses for good, another goes away: aborted at once, invisible, and clean in the end."""
    refusing = "qdrant" if name == "neo4j" else "neo4j"

    class Refusing(Misbehaving):
        async def prepare(self, writes: Sequence[VersionedBundle]) -> None:
            await super().prepare(writes)
            await on.cut(name, REFUSED)
            raise EmbedderMismatch(stored="another", configured="this")

    def spoil(store: Store) -> Store:
        return Refusing(store, always(StoreFault.NONE)) if store.name == refusing else store

    async with at_work(on.wired, on.temporal, spoil=spoil):
        event_id = await on.send(tenant, KEY)
        handle = await on.workflow(tenant, event_id)
        undoing = "abort_versions_activity" if name == "postgres" else f"discard_{name}_activity"
        await failing(handle, undoing)
        assert (await on.memory.retrieval.search(tenant, KEY)).hits == ()
        await on.mend()
        ended = await _failed(on, tenant, event_id)

    assert (ended.outcome, ended.version) == (Outcome.ABORTED, None)
    assert "EmbedderMismatch" in (ended.reason or "")
    assert await on.held(tenant, KEY) == NOWHERE
    assert await _versions(database, tenant) == {"aborted": 1}


async def test_a_cancel_during_an_outage_ends_clean_once_the_store_is_back(
    on: Scene, database: Database, tenant: str
) -> None:
    """An operator gives up on a store that is down: the decision falls now, the deletes follow it back."""

    def spoil(store: Store) -> Store:
        away = Interrupted(store, "prepare", lambda: on.cut("qdrant", RESET))
        return away if store.name == "qdrant" else store

    async with at_work(on.wired, on.temporal, spoil=spoil):
        event_id = await on.send(tenant, KEY)
        handle = await on.workflow(tenant, event_id)
        await failing(handle, "prepare_qdrant_activity")
        await handle.cancel()
        await failing(handle, "discard_qdrant_activity")
        assert await _versions(database, tenant) == {"aborted, not clean": 1}
        await on.mend()
        ended = await _failed(on, tenant, event_id)

    assert ended.outcome is Outcome.ABORTED
    assert (ended.reason or "").startswith("cancelled")
    assert await on.held(tenant, KEY) == NOWHERE
    assert await _versions(database, tenant) == {"aborted": 1}


async def test_a_batch_that_an_outage_cuts_in_half_is_seen_as_a_whole_or_not_at_all(
    on: Scene, database: Database, tenant: str
) -> None:
    """Half of a batch's bytes reach a store: until all items are everywhere no reader sees one of them."""
    keys = [f"SHIP-{n}" for n in range(5)]
    events = [await on.send(tenant, key) for key in keys]

    def spoil(store: Store) -> Store:
        cut = Interrupted(store, "prepare", lambda: on.cut("neo4j", Fault("cut_request", after=2_000)))
        return cut if store.name == "neo4j" else store

    seen: set[int] = set()
    async with at_work(on.wired, on.temporal, spoil=spoil):
        handle = await on.workflow(tenant, events[0])
        await failing(handle, "prepare_neo4j_activity")
        seen.add(await _visible_items(on, tenant))
        await on.mend()
        while (await on.memory.inbox.ingestion(tenant, events[0])).outcome is None:
            seen.add(await _visible_items(on, tenant))
            await asyncio.sleep(0.1)
        ended = [await _ended(on, tenant, event_id) for event_id in events]

    assert seen <= {0, 5}
    assert await _visible_items(on, tenant) == 5
    assert {(e.outcome, e.seq) for e in ended} == {(Outcome.COMMITTED, 1)}
    assert await _versions(database, tenant) == {"committed": 5}
    assert all([await _all_of_it(on, tenant, key) for key in keys])


async def test_an_open_breaker_is_a_wait_that_the_history_shows_and_others_go_on_meanwhile(
    on: Scene, tenant: str, other_tenant: str
) -> None:
    """Each try says when the store is asked again; other stores prepare, what is committed is readable."""
    with capture_logs() as logged:
        async with at_work(on.wired, on.temporal):
            await _ended(on, tenant, await on.send(tenant, KEY))
            await on.cut("qdrant", REFUSED)
            theirs, ours = await on.send(other_tenant, "SHIP-2"), await on.send(tenant, "SHIP-1")
            handles = [await on.workflow(other_tenant, theirs), await on.workflow(tenant, ours)]
            for handle in handles:
                await _circuit_open(handle, "prepare_qdrant_activity")
                assert await pending(handle) == {"prepare_qdrant_activity"}
            assert (await on.memory.retrieval.search(tenant, KEY)).hits
            await on.mend()
            ended = [await _ended(on, other_tenant, theirs), await _ended(on, tenant, ours)]

    waits = [
        failure.application_failure_info
        for handle in handles
        for failure in await failures_in_history(handle)
    ]
    assert [e.outcome for e in ended] == [Outcome.COMMITTED] * 2
    assert {wait.type for wait in waits} == {"CircuitOpen"}
    assert all(0 < wait.next_retry_delay.ToMilliseconds() <= 5_000 for wait in waits)
    assert {(line["store"], line["kind"]) for line in _of(logged, "breaker.opened")} == {("qdrant", "write")}
    assert len(_of(logged, "breaker.closed")) == 1


@pytest.mark.parametrize("name", ["qdrant", "neo4j"])
async def test_of_a_hundred_callers_one_asks_a_store_that_may_be_back(
    on: Scene, settings: Settings, database: Database, tenant: str, name: str
) -> None:
    """The others are told at once to come later, and once the one was answered all are let through."""
    async with (
        open_embedder(settings, database) as embedder,
        open_stores(on.wired, database, embedder) as stores,
    ):
        [store] = [store for store in stores.participants() if store.name == name]
        await store.ensure()
        await on.cut(name, REFUSED)
        ref = VersionRef(item_id=uuid4(), version=1)
        wait_s = await _until_open(store, tenant, ref)
        await on.mend()
        await asyncio.sleep(wait_s + 0.05)

        callers = [store.read_back(tenant, [ref]) for _ in range(100)]
        first = await asyncio.gather(*callers, return_exceptions=True)
        second = await asyncio.gather(*(store.read_back(tenant, [ref]) for _ in range(100)))

    nothing = dict.fromkeys([ref], Manifest.of(()))
    assert [isinstance(answer, CircuitOpen) for answer in first].count(True) == 99
    assert [answer for answer in first if not isinstance(answer, CircuitOpen)] == [nothing]
    assert second == [nothing] * 100


@each_store
async def test_a_search_during_an_outage_is_partial_or_refused_and_never_torn(
    on: Scene, tenant: str, name: str
) -> None:
    """An updated item is read while a store hangs: its new version or nothing, and the store is named."""
    async with at_work(on.wired, on.temporal):
        for status in ("in_transit", "delivered"):
            ended = await _ended(on, tenant, await on.send(tenant, KEY, status=status))
    answers: list[SearchAnswer] = []
    impatient = on.wired.model_copy(update={"read_deadline_s": 1.0})

    async def ask() -> SearchAnswer:
        # Another question each time: none is answered from the cache.
        answer = await memory.retrieval.search(tenant, f"{KEY} {uuid4()}", min_seq=ended.seq)
        answers.append(answer)
        return answer

    with capture_logs() as logged:
        async with open_memory(impatient) as memory, asyncio.timeout(90):
            while (await ask()).missing:
                pass
            await on.cut(name, BLACKHOLED)
            if name == "postgres":
                with pytest.raises(StoreUnavailable):
                    await ask()
            else:
                while not _told_at_once(logged, name):
                    assert name in (await ask()).missing
            await on.mend()
            while await _partial(ask):
                await asyncio.sleep(0.1)

    assert all({hit.version for hit in answer.hits} == {2} for answer in answers)
    assert all(_statuses(answer) <= {"delivered"} for answer in answers)
    assert (answers[-1].missing, _statuses(answers[-1])) == ((), {"delivered"})


async def test_a_store_that_was_wiped_while_the_worker_lives_is_set_up_again(
    on: Scene, settings: Settings, tenant: str
) -> None:
    """What `ensure` made is gone: the attempt that finds out fails, and the next one makes it anew."""
    wiped: list[_Wiped] = []

    def spoil(store: Store) -> Store:
        if store.name != "qdrant":
            return store
        wiped.append(_Wiped(store))
        return wiped[0]

    async with at_work(settings, on.temporal, spoil=spoil):
        first = await _ended(on, tenant, await on.send(tenant, KEY))
        wiped[0].there = False
        second = await _ended(on, tenant, await on.send(tenant, KEY, status="delivered"))

    assert [(e.outcome, e.version) for e in (first, second)] == [(Outcome.COMMITTED, v) for v in (1, 2)]
    assert await _all_of_it(on, tenant, version=2)


async def _versions(database: Database, tenant: str) -> dict[str, int]:
    """How many versions are in which state; an aborted one that still wants cleaning is another state."""
    query = """
        SELECT state || CASE WHEN cleanup_pending THEN ', not clean' ELSE '' END AS state, count(*) AS n
        FROM item_version WHERE tenant_id = %s GROUP BY 1
    """
    async with database.connection() as connection:
        rows = await (await connection.execute(query, (tenant,))).fetchall()
    return {row["state"]: row["n"] for row in rows}


async def _visible_items(on: Scene, tenant: str) -> int:
    answer = await on.memory.retrieval.search(tenant, f"shipment {uuid4()}", limit=50)
    return len({hit.external_id for hit in answer.hits})


async def _circuit_open(handle: Any, activity: str) -> None:
    attempts = 1
    while (await failing(handle, activity, attempts=attempts)).application_failure_info.type != "CircuitOpen":
        attempts += 1


async def _until_open(store: Store, tenant: str, ref: VersionRef) -> float:
    while True:
        try:
            await store.read_back(tenant, [ref])
        except CircuitOpen as exc:
            return exc.retry_after_s
        except StoreUnavailable:
            pass


async def _partial(ask: Any) -> bool:
    with suppress(StoreUnavailable):
        return bool((await ask()).missing)
    return True


def _told_at_once(logged: Logged, name: str) -> bool:
    """The breaker answered in the store's place."""
    return any(
        line["store"] == name and "asked again in" in line["reason"]
        for line in _of(logged, "search.leg_missing")
    )
