"""A history in, what it proves to be broken out: pure, and near-linear in the history's length."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.campaign.history import Operation, Seen

KINDS: Final = (
    "lost",  # an acknowledged write that cannot be read, or an accepted one that never ended
    "duplicated",  # two versions, or two ingestions, of one request; two heads of one item
    "torn",  # parts of two versions as one, or of a version that was never committed
    "stale",  # older than what was acknowledged, read or demanded before
    "resurrected",  # visible after its deletion
    "foreign",  # another tenant's
    "corrupt",  # not what was sent
    "disordered",  # the order of commits is not the order of versions
    "dropped",  # accepted, then given up, though nobody cancelled it
    "broken",  # answered with 500: an error that nobody foresaw, where a partial answer or 503 was promised
)
#: What a client notes of an answer of this kind.
BROKEN: Final = "500"
#: How many of each kind are described; all are counted.
DESCRIBED: Final = 20

_READS: Final = frozenset({"item", "search", "entity"})
_GIVEN_UP: Final = frozenset({"aborted", "quarantined"})


@dataclass(frozen=True)
class Violation:
    kind: str
    what: str
    operation: Operation


@dataclass
class Verdict:
    """`excused`: accepted events that did not end, or were given up, and by the campaign's own doing."""

    violations: Counter[str] = field(default_factory=Counter[str])
    described: list[Violation] = field(default_factory=list[Violation])
    checked: int = 0
    excused: int = 0

    def note(self, kind: str, what: str, operation: Operation) -> None:
        self.violations[kind] += 1
        if self.violations[kind] <= DESCRIBED:
            self.described.append(Violation(kind, what, operation))


def check(operations: Iterable[Operation], *, excused: Collection[str] = ()) -> Verdict:
    """Judge one segment's history. `excused`: ids of ingestions whose workflow the campaign ended."""
    judge = _Judge(list(operations), excused=frozenset(excused))
    return judge.verdict()


@dataclass(frozen=True, slots=True)
class _Span:
    """A committed version is visible from `begin` to before `end`; 0: to this day."""

    begin: int
    end: int
    version: int


class _Item:
    """What PostgreSQL says at the end of one item's versions."""

    def __init__(self) -> None:
        self.rows: dict[int, Operation] = {}
        self.tombstones: list[Operation] = []
        self.spans: list[_Span] = []
        self.begins: list[int] = []
        self.chain_ends: list[int] = []

    def settle(self) -> None:
        committed = (row for row in self.rows.values() if row.outcome == "committed")
        visible = (_Span(r.seq, r.superseded, r.version) for r in committed if r.superseded != r.seq)
        self.spans = sorted(visible, key=lambda span: span.begin)
        self.begins = [span.begin for span in self.spans]
        self.chain_ends = [0] * len(self.spans)
        for n in reversed(range(len(self.spans))):
            seamless = n + 1 < len(self.spans) and self.spans[n].end == self.spans[n + 1].begin
            self.chain_ends[n] = self.chain_ends[n + 1] if seamless else self.spans[n].end

    def at(self, seq: int) -> _Span | None:
        n = bisect_right(self.begins, seq) - 1
        if n < 0:
            return None
        span = self.spans[n]
        return span if not span.end or span.end > seq else None

    def always_from(self, seq: int) -> bool:
        """Whether it was visible at `seq` and has been ever since."""
        n = bisect_right(self.begins, seq) - 1
        return n >= 0 and self.at(seq) is not None and self.chain_ends[n] == 0

    def buried_at(self, seq: int) -> int:
        """The highest tombstone by then; 0: none."""
        return max((row.version for row in self.tombstones if row.seq <= seq), default=0)


class _Floor:
    """The newest commit that was known before a moment."""

    def __init__(self, known: Iterable[tuple[int, int]]) -> None:
        self._moments: list[int] = []
        self._seqs: list[int] = []
        newest = 0
        for moment, seq in sorted(known):
            if seq > newest:
                newest = seq
                self._moments.append(moment)
                self._seqs.append(seq)

    def before(self, moment: int) -> int:
        n = bisect_left(self._moments, moment)
        return self._seqs[n - 1] if n else 0


class _Judge:
    def __init__(self, operations: Sequence[Operation], *, excused: frozenset[str]) -> None:
        self._excused = excused
        self._verdict = Verdict()
        self._broken = [o for o in operations if o.why == BROKEN]
        self._sends = [o for o in operations if o.op == "send"]
        self._settles = [o for o in operations if o.op == "settle" and o.out == "ok"]
        self._reads = [o for o in operations if o.op in _READS and o.out == "ok"]
        self._deletes = [o for o in operations if o.op == "delete" and o.out == "ok"]
        self._inbox = [o for o in operations if o.op == "inbox"]
        self._ledger = [o for o in operations if o.op == "ledger"]
        self._writer: dict[str, Operation] = {send.token: send for send in self._sends if send.token}
        self._event: dict[tuple[str, str], Operation] = {(o.tenant, o.ingestion): o for o in self._inbox}
        self._items: defaultdict[tuple[str, str], _Item] = defaultdict(_Item)
        self._tokens: dict[tuple[str, str, int], Operation] = {}

    def verdict(self) -> Verdict:
        self._learn()
        for operation in self._broken:
            self._note("broken", f"{operation.op} was answered with 500", operation)
        self._judge_requests()
        self._judge_ledger()
        self._judge_endings()
        floors = {tenant: _Floor(known) for tenant, known in self._known().items()}
        for read in self._reads:
            self._judge_read(read, floors[read.tenant].before(read.inv))
        judged = (self._sends, self._settles, self._reads, self._deletes)
        self._verdict.checked = sum(map(len, judged))
        return self._verdict

    def _learn(self) -> None:
        sent = {(send.tenant, send.request): send for send in self._sends}
        for row in self._ledger:
            item = self._items[row.tenant, row.item]
            if row.outcome == "deleted":
                item.tombstones.append(row)
                continue
            item.rows[row.version] = row
            event = self._event.get((row.tenant, row.ingestion))
            send = sent.get((row.tenant, event.request)) if event else None
            if send:
                self._tokens[row.tenant, row.item, row.version] = send
        for item in self._items.values():
            item.settle()

    def _known(self) -> dict[str, list[tuple[int, int]]]:
        """For each tenant, which commit was known to somebody from which moment on."""
        known: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        for operation in (*self._settles, *self._reads, *self._deletes):
            known[operation.tenant].append((operation.ret, operation.seq))
        return known

    def _judge_requests(self) -> None:
        first: dict[tuple[str, str], Operation] = {}
        for send in self._sends:
            if send.out != "ok":
                continue
            before = first.setdefault((send.tenant, send.request), send)
            if before.ingestion != send.ingestion:
                self._note("duplicated", f"one request, two ingestions: {before.ingestion}", send)
        for send in first.values():
            if (send.tenant, send.ingestion) not in self._event:
                self._note("lost", "accepted, but not in the inbox", send)

    def _judge_ledger(self) -> None:
        of_event: dict[tuple[str, str], Operation] = {}
        for row in self._ledger:
            if row.outcome == "committed":
                other = of_event.setdefault((row.tenant, row.ingestion), row)
                if other is not row:
                    self._note("duplicated", f"one ingestion, also committed as {other.version}", row)
        for item in self._items.values():
            self._judge_order(item)

    def _judge_order(self, item: _Item) -> None:
        newest: Operation | None = None
        for version in sorted(item.rows):
            row = item.rows[version]
            if row.outcome != "committed":
                continue
            if newest and row.seq < newest.seq:
                self._note("disordered", f"committed before the lower version {newest.version}", row)
            newest = row
        for one, other in zip(item.spans, item.spans[1:], strict=False):
            if not one.end or one.end > other.begin:
                row = item.rows[other.version]
                self._note("duplicated", f"version {one.version} is visible at the same time", row)
        for tombstone in item.tombstones:
            for span in item.spans:
                if span.version <= tombstone.version and not 0 < span.end <= tombstone.seq:
                    row = item.rows[span.version]
                    self._note("resurrected", f"visible after the tombstone of {tombstone.seq}", row)

    def _judge_endings(self) -> None:
        for event in self._inbox:
            if event.ingestion in self._excused:
                self._verdict.excused += event.outcome in _GIVEN_UP or not event.outcome
            elif not event.outcome:
                self._note("lost", "accepted, but it never ended", event)
            elif event.outcome in _GIVEN_UP:
                self._note("dropped", f"{event.outcome}: {event.why}", event)
        for settle in self._settles:
            self._judge_settle(settle)
        for deletion in self._deletes:
            tombstones = self._items[deletion.tenant, deletion.item].tombstones
            if deletion.seq not in {row.seq for row in tombstones}:
                self._note("lost", "its deletion was told, but is not in the ledger", deletion)

    def _judge_settle(self, settle: Operation) -> None:
        event = self._event.get((settle.tenant, settle.ingestion))
        if event is None:
            self._note("lost", "its end was told, but it is not in the inbox", settle)
            return
        if event.outcome != settle.outcome:
            self._note("lost", f"its end was told, and is another one now: {event.outcome}", settle)
        if settle.outcome != "committed":
            return
        row = self._items[settle.tenant, event.item].rows.get(settle.version)
        if row is None or row.outcome != "committed" or row.seq != settle.seq:
            self._note("lost", "its commit was told, but is not in the ledger", settle)

    def _judge_read(self, read: Operation, floor: int) -> None:
        if read.seq:
            if read.seq < max(floor, read.min_seq):
                why = f"at {read.seq}, though {max(floor, read.min_seq)} was known or demanded"
                self._note("stale", why, read)
            self._judge_snapshot(read)
        else:
            self._judge_card(read, floor)
        for seen in read.saw:
            self._judge_content(read, seen)

    def _judge_snapshot(self, read: Operation) -> None:
        seen_at: dict[str, int] = {}
        for seen in read.saw:
            if seen_at.setdefault(seen.item, seen.version) != seen.version:
                why = f"versions {seen_at[seen.item]} and {seen.version} of {seen.item} in one answer"
                self._note("torn", why, read)
        for item, version in seen_at.items():
            visible = self._items[read.tenant, item].at(read.seq)
            if visible is None or visible.version != version:
                self._note(*self._misread(read, item, version, visible), read)
        if read.wanted and read.wanted not in seen_at and not read.missing:
            visible = self._items[read.tenant, read.wanted].at(read.seq)
            if visible:
                self._note("lost", f"version {visible.version} of {read.wanted} was not found", read)

    def _misread(self, read: Operation, name: str, version: int, visible: _Span | None) -> tuple[str, str]:
        """What it is to see a version that is not the visible one."""
        item = self._items[read.tenant, name]
        row = item.rows.get(version)
        told = f"version {version} of {name} at {read.seq}, where {visible and visible.version} was visible"
        if version <= item.buried_at(read.seq):
            return "resurrected", told
        if row is None or row.outcome != "committed" or row.seq > read.seq:
            return "torn", f"not committed then: {told}"
        return "stale", told

    def _judge_card(self, read: Operation, floor: int) -> None:
        """A read without a snapshot may have looked at any moment between its begin and its end."""
        item = self._items[read.tenant, read.item]
        if not read.version:
            if item.always_from(floor):
                self._note("lost", f"not found, though visible since before {floor}", read)
            return
        row = item.rows.get(read.version)
        if row is None or row.outcome != "committed":
            self._note("torn", f"version {read.version} was never committed", read)
        elif row.superseded and row.superseded <= floor:
            kind = "resurrected" if read.version <= item.buried_at(floor) else "stale"
            self._note(kind, f"version {read.version} had been superseded at {row.superseded}", read)
        else:
            send = self._tokens.get((read.tenant, read.item, read.version))
            if send and send.as_of != read.as_of:
                self._note("torn", f"the card of version {read.version} says {read.as_of}", read)

    def _judge_content(self, read: Operation, seen: Seen) -> None:
        if not seen.whole:
            self._note("corrupt", f"{seen.part} of {seen.item} is not what was sent", read)
        if not seen.token:
            return
        writer = self._writer.get(seen.token)
        if writer is None:
            self._note("corrupt", f"{seen.part} of {seen.item} says {seen.token}, which nobody sent", read)
        elif writer.tenant != read.tenant:
            self._note("foreign", f"{seen.part} of {seen.item} says {seen.token} of {writer.tenant}", read)
        else:
            send = self._tokens.get((read.tenant, seen.item, seen.version))
            if send is None or send.token != seen.token:
                why = f"{seen.part} of version {seen.version} of {seen.item} says {seen.token}"
                self._note("torn", why, read)

    def _note(self, kind: str, what: str, operation: Operation) -> None:
        self._verdict.note(kind, what, operation)


def in_order(violations: Counter[str]) -> Iterator[tuple[str, int]]:
    """Every kind, found or not."""
    return ((kind, violations[kind]) for kind in KINDS)
