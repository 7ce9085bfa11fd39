"""The world as it is in, the promises that it breaks out: one function a promise."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from tests.simulation.senders import Sent

from apex_memory.domain.bundles import Manifest, VersionedBundle, VersionRef
from apex_memory.domain.ledger import Outcome
from apex_memory.testing import MemoryLedger, MemoryStore
from apex_memory.testing.ledger_rows import VersionRow


@dataclass(frozen=True)
class Violation:
    """A promise that was broken, and how."""

    invariant: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.what}"


@dataclass
class Facts:
    """All that the invariants look at."""

    ledger: MemoryLedger
    stores: Sequence[MemoryStore]
    now: Callable[[], float]
    grace_s: float
    sent: list[Sent] = field(default_factory=list[Sent])
    #: Batches whose end somebody wanted: cancelled, terminated, or refused by a store for good.
    spoilt: set[UUID] = field(default_factory=set[UUID])
    #: Commits and tombstones that a caller was told of.
    acknowledged: dict[VersionRef, int] = field(default_factory=dict[VersionRef, int])
    #: Stores that have lost everything and are not rebuilt yet.
    wiped: set[str] = field(default_factory=set[str])

    def rows(self) -> Iterator[tuple[str, VersionRow]]:
        return ((tenant, row) for (tenant, _), row in self.ledger.versions.items())

    def committed(self) -> Iterator[tuple[str, VersionRow]]:
        return ((tenant, row) for tenant, row in self.rows() if row.state == "committed")

    def histories(self) -> Iterator[tuple[UUID, list[VersionRow]]]:
        """The committed versions of each item, in the order of their numbers."""
        items: defaultdict[UUID, list[VersionRow]] = defaultdict(list)
        for _, row in self.committed():
            items[row.ref.item_id].append(row)
        for item, rows in items.items():
            yield item, sorted(rows, key=lambda row: row.ref.version)

    def versions_of_events(self) -> Mapping[UUID, Sequence[VersionRow]]:
        versions: defaultdict[UUID, list[VersionRow]] = defaultdict(list)
        for _, row in self.rows():
            versions[row.event_id].append(row)
        return versions


@dataclass(frozen=True)
class Read:
    """One read at a snapshot: what each store that answered held, of what the reader holds for visible."""

    tenant_id: str
    seq: int
    visible: frozenset[VersionRef]
    found: Mapping[str, Mapping[VersionRef, VersionedBundle]]

    def without(self, stores: Collection[str]) -> "Read":
        return replace(self, found={name: held for name, held in self.found.items() if name not in stores})


def i1_one_head_per_item(facts: Facts) -> Iterator[str]:
    for item, rows in facts.histories():
        live = [row.ref.version for row in rows if row.live()]
        if len(live) > 1:
            yield f"item {item} has the heads {live}"


def i2_a_read_returns_whole_bundles(facts: Facts, read: Read) -> Iterator[str]:
    for store in facts.stores:
        for ref, bundle in read.found.get(store.name, {}).items():
            row = facts.ledger.versions.get((read.tenant_id, ref))
            if row is not None and ref in read.visible and not _whole(store, bundle, row):
                yield f"{store.name} answered with a part of {_name(ref)} at {read.seq}"


def i3_a_read_returns_what_was_committed_at_its_snapshot(facts: Facts, read: Read) -> Iterator[str]:
    rows = (row for tenant, row in facts.rows() if tenant == read.tenant_id)
    truth = frozenset(row.ref for row in rows if row.visible_at(read.seq))
    for name, found in read.found.items():
        seen = read.visible & frozenset(found)
        if seen != truth:
            missed, wrong = _names(truth - seen), _names(seen - truth)
            yield f"{name} at {read.seq}: missed {missed}, showed {wrong}"


def i3_the_newest_content_is_seen_at_rest(facts: Facts) -> Iterator[str]:
    """Stale is what an event with an older `as_of` left behind although a newer one had been taken in."""
    for item, rows in facts.histories():
        tombstone = max((row.ref.version for row in rows if row.tombstone), default=0)
        said = [
            (event.as_of, event.bundle().content_hash())
            for event in facts.sent
            if event.item_id == item and event.parent is None and _taken_in(facts, event, tombstone)
        ]
        newest = max((as_of for as_of, _ in said), default=None)
        seen = [row.content_hash for row in rows if row.live()]
        if said and not seen:
            yield f"item {item} was taken in and is not seen"
        if seen and newest is not None and (newest, seen[0]) not in said and _is_no_derivation(rows):
            yield f"item {item} shows something older than what was said of {newest:%H:%M:%S}"


def i4_what_is_committed_is_complete_in_every_store(facts: Facts) -> Iterator[str]:
    """As long as a reader may still want it: superseded for less than the grace, or not at all."""
    held = {store.name: _held(store) for store in facts.stores if store.name not in facts.wiped}
    for tenant, row in facts.committed():
        ended = row.superseded_at
        if row.tombstone or (ended is not None and ended + facts.grace_s <= facts.now()):
            continue
        for store in facts.stores:
            if store.name in held:
                bundle = held[store.name].get((tenant, row.ref))
                if bundle is None or len(store.parts(bundle)) != _expected(store, row).count:
                    yield f"{store.name} lacks parts of {_name(row.ref)}"


def i5_nothing_survives_its_tombstone(facts: Facts) -> Iterator[str]:
    """Neither a version that was allocated before it, nor an event that had a version before it."""
    for item, rows in facts.histories():
        for stone in (row for row in rows if row.tombstone):
            for row in rows:
                before, seq = row.ref.version < stone.ref.version, stone.commit_seq or 0
                if before and ((row.commit_seq or 0) > seq or row.visible_at(seq)):
                    yield f"item {item}: version {row.ref.version} is seen after its tombstone"
    tombstones = {row.ref.item_id: row.ref.version for _, row in facts.committed() if row.tombstone}
    for event_id, versions in facts.versions_of_events().items():
        for row in (row for row in versions if row.live()):
            first = min(v.ref.version for v in versions)
            if first < tombstones.get(row.ref.item_id, 0):
                yield f"event {event_id} is seen, though its item was deleted after it had a version"


def i5_nothing_derived_survives_its_parent(facts: Facts) -> Iterator[str]:
    for tenant, row in facts.committed():
        if row.parent is not None and row.superseded_seq != row.commit_seq:
            parent = facts.ledger.versions[tenant, row.parent]
            begun, ended = (parent.commit_seq or 0), parent.superseded_seq
            orphaned = ended is not None and (row.superseded_seq is None or row.superseded_seq > ended)
            if parent.state != "committed" or (row.commit_seq or 0) < begun or orphaned:
                yield f"{_name(row.ref)} is seen without its parent {_name(row.parent)}"


def i6_commit_order_is_version_order(facts: Facts) -> Iterator[str]:
    for item, rows in facts.histories():
        seqs = [row.commit_seq or 0 for row in rows]
        if seqs != sorted(seqs):
            yield f"item {item}: versions {[r.ref.version for r in rows]} committed at {seqs}"


def i7_at_rest_the_stores_hold_what_the_ledger_says(facts: Facts) -> Iterator[str]:
    live = {(tenant, row.ref): row for tenant, row in facts.rows() if row.live()}
    for store in facts.stores:
        held = _held(store)
        for tenant, ref in sorted(held.keys() - live.keys(), key=str):
            yield f"{store.name} still holds {_name(ref)} of {tenant}"
        for (tenant, ref), row in live.items():
            bundle = held.get((tenant, ref))
            if bundle is None or not _whole(store, bundle, row):
                yield f"{store.name} does not hold {_name(ref)} of {tenant} as it is"


def i8_each_event_ends_once(facts: Facts, *, at_rest: bool) -> Iterator[str]:
    """Committed if one version of it committed and no other; taken back only if somebody wanted it so."""
    versions_of = facts.versions_of_events()
    for event in facts.sent:
        ended = facts.ledger.outcomes.get((event.tenant_id, event.event_id))
        outcome = ended.outcome if ended else None
        versions = versions_of.get(event.event_id, ())
        committed = sum(row.state == "committed" for row in versions)
        if at_rest and outcome is None:
            yield f"event {event.event_id} has not ended"
        if committed != (outcome is Outcome.COMMITTED):
            yield f"event {event.event_id} is {outcome} and has {committed} committed versions"
        if outcome in {Outcome.ABORTED, Outcome.QUARANTINED} and event.batch_id not in facts.spoilt:
            yield f"event {event.event_id} is lost: {outcome}, though nobody wanted that"


def i9_one_announcement_per_commit(facts: Facts) -> Iterator[str]:
    """What becomes of an announcement is the courier's, and tested where it lives."""
    announced = Counter(facts.ledger.outbox)
    due = Counter((t, row.ref, row.commit_seq) for t, row in facts.committed() if not row.tombstone)
    if announced != due:
        yield f"announced {len(facts.ledger.outbox)}, committed {sum(due.values())}, or others"


def i10_no_answer_holds_another_tenants_id(facts: Facts, read: Read) -> Iterator[str]:
    own = {event.item_id for event in facts.sent if event.tenant_id == read.tenant_id}
    for name, found in read.found.items():
        if foreign := [ref for ref in found if ref.item_id not in own]:
            yield f"{name} showed {read.tenant_id} {_names(foreign)}"


def i11_nothing_waits_for_ever(facts: Facts) -> Iterator[str]:
    """At rest: when all faults are over and the upkeep has run, within a bounded virtual time."""
    for tenant, row in facts.rows():
        if row.state == "preparing" or row.cleanup_pending:
            yield f"{_name(row.ref)} of {tenant} is {row.state} and wants cleaning: {row.cleanup_pending}"
    for (tenant, batch), row in facts.ledger.batches.items():
        if row.closed_at is None:
            yield f"batch {batch} of {tenant} is open"


def i11_a_workflow_decides_what_it_began(facts: Facts, batch_id: UUID, *, before: float) -> Iterator[str]:
    """A saga that has ended, by an undo or not: what it had allocated `before` it failed is decided."""
    for tenant, row in facts.rows():
        if row.batch_id == batch_id and row.state == "preparing" and row.allocated_at < before:
            yield f"{_name(row.ref)} of {tenant} was left behind"


def i12_what_was_acknowledged_stays(facts: Facts) -> Iterator[str]:
    """No disk is simulated: this says that no step of the protocol takes back what a caller was told."""
    rows = {row.ref: row for _, row in facts.rows()}
    for ref, seq in facts.acknowledged.items():
        if (rows[ref].state, rows[ref].commit_seq) != ("committed", seq):
            yield f"{_name(ref)} was acknowledged at {seq} and is {rows[ref].state} now"


def i13_a_cache_changes_no_answer(cached: frozenset[VersionRef], read: Read) -> Iterator[str]:
    """A cache keyed by the snapshot may be empty, old or down: what it holds is what was true there."""
    if cached != read.visible:
        yield f"the cache said {_names(cached)} at {read.seq}, true is {_names(read.visible)}"


#: Checked whenever a server has done something.
ALWAYS = (
    i1_one_head_per_item,
    i5_nothing_survives_its_tombstone,
    i5_nothing_derived_survives_its_parent,
    i6_commit_order_is_version_order,
    i9_one_announcement_per_commit,
    i12_what_was_acknowledged_stays,
)
#: Checked when all is over, faults are past and the upkeep has run.
AT_REST = (
    i11_nothing_waits_for_ever,
    i3_the_newest_content_is_seen_at_rest,
    i7_at_rest_the_stores_hold_what_the_ledger_says,
)
OF_A_READ = (
    i2_a_read_returns_whole_bundles,
    i3_a_read_returns_what_was_committed_at_its_snapshot,
    i10_no_answer_holds_another_tenants_id,
)


def broken_now(facts: Facts, *, ledger: bool) -> Iterator[Violation]:
    """With or without what only the ledger can break."""
    i4 = i4_what_is_committed_is_complete_in_every_store
    yield from (Violation(i4.__name__, what) for what in i4(facts))
    if not ledger:
        return
    for check in ALWAYS:
        yield from (Violation(check.__name__, what) for what in check(facts))
    for what in i8_each_event_ends_once(facts, at_rest=False):
        yield Violation(i8_each_event_ends_once.__name__, what)


def broken_at_rest(facts: Facts) -> Iterator[Violation]:
    yield from broken_now(facts, ledger=True)
    for check in AT_REST:
        yield from (Violation(check.__name__, what) for what in check(facts))
    for what in i8_each_event_ends_once(facts, at_rest=True):
        yield Violation(i8_each_event_ends_once.__name__, what)


def broken_by(facts: Facts, read: Read) -> Iterator[Violation]:
    for check in OF_A_READ:
        yield from (Violation(check.__name__, what) for what in check(facts, read))


def _held(store: MemoryStore) -> Mapping[tuple[str, VersionRef], VersionedBundle]:
    return {(w.tenant_id, w.ref): w for tenant in ("acme", "bolt") for w in store.held(tenant)}


def _whole(store: MemoryStore, held: VersionedBundle, row: VersionRow) -> bool:
    return (
        Manifest.of(store.parts(held)) == _expected(store, row)
        and held.bundle.content_hash() == row.content_hash
    )


def _expected(store: MemoryStore, row: VersionRow) -> Manifest:
    return (row.manifests or {}).get(store.name, Manifest(count=-1, checksum="none was expected"))


def _taken_in(facts: Facts, event: Sent, tombstone: int) -> bool:
    ended = facts.ledger.outcomes.get((event.tenant_id, event.event_id))
    if ended is None or ended.ref is None or ended.ref.version <= tombstone:
        return False
    return ended.outcome in {Outcome.COMMITTED, Outcome.UNCHANGED}


def _is_no_derivation(rows: Sequence[VersionRow]) -> bool:
    return all(row.parent is None for row in rows)


def _name(ref: VersionRef) -> str:
    return f"{str(ref.item_id)[:8]} v{ref.version}"


def _names(refs: Collection[VersionRef]) -> str:
    return ", ".join(sorted(map(_name, refs))) or "nothing"
