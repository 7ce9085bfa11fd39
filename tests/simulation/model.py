"""A small protocol and the rules it keeps in, every state that it can reach judged out.

One item, of which version 1 is committed, and two stores. Writers allocate, write, verify, commit, give up at
any point and take back; every write may happen once more later; a commit may land late, and its answer may
be lost; the item may be deleted; garbage is collected; a reader takes a snapshot, searches both stores and
validates.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")


class Rule(Enum):
    """What the protocol demands; the value of each is what is done without it."""

    READ_FILTER = auto()  # else: a reader shows whatever a store holds
    SNAPSHOT = auto()  # else: a reader validates against now
    VERIFY = auto()  # else: a commit follows the first write
    ONLY_PREPARING = auto()  # else: an aborted version may commit
    VERIFIED_ONLY = auto()  # else: a commit takes whatever its batch prepares when it lands
    DECIDE_BEFORE_CLEANING = auto()  # else: an abort deletes first and marks afterwards
    MONOTONE = auto()  # else: an overtaken version commits
    TOMBSTONE = auto()  # else: what was allocated before a deletion commits after it
    GRACE = auto()  # else: garbage is collected while a reader may still want it
    EXACT_GARBAGE = auto()  # else: all is garbage but what is committed


ALL: Final = frozenset(Rule)
_NEVER: Final = 99


class Step(Enum):
    IDLE = auto()
    WRITING = auto()
    VERIFIED = auto()
    COMMITTING = auto()
    GIVING_UP = auto()
    ABORTED = auto()
    HALF_CLEAN = auto()
    DONE = auto()


class Version(NamedTuple):
    number: int
    state: str  # preparing, committed, aborted, tombstone
    seq: int = _NEVER
    ended: int = _NEVER

    def visible_at(self, seq: int) -> bool:
        return self.state == "committed" and self.seq <= seq < self.ended


class Writer(NamedTuple):
    step: Step = Step.IDLE
    version: int = 0
    sent: tuple[int, int] = (0, 0)  # to each store: not yet, once, twice
    in_flight: int = 0  # the version that a commit on its way was verified for
    lost: int = 0  # commits whose answer was lost or that were given up
    rounds: int = 0


class Reader(NamedTuple):
    step: int = 0
    seq: int = 0
    found: tuple[int, int] = (0, 0)
    now: int = 0  # what was visible when it validated


class State(NamedTuple):
    seq: int
    versions: tuple[Version, ...]
    stores: tuple[int, int]  # a bit for each version held
    writers: tuple[Writer, ...]
    deleted: bool
    reader: Reader


@dataclass(frozen=True)
class Size:
    """How much of it all there is."""

    writers: int
    rounds: int
    deletion: bool
    reader: bool
    zombies: bool


@dataclass(frozen=True)
class Explored:
    """What a search came to; `trace` is the shortest way to the violation."""

    states: int
    at_rest: int
    violation: str | None
    trace: tuple[str, ...] = ()


def explore(size: Size, rules: frozenset[Rule] = ALL) -> Explored:
    """Breadth first, until a violation or until nothing new is reached."""
    start = State(
        seq=1,
        versions=(Version(1, "committed", seq=1),),
        stores=(0b10, 0b10),
        writers=(Writer(),) * size.writers,
        deleted=not size.deletion,
        reader=Reader() if size.reader else Reader(step=4),
    )
    came_from: dict[State, tuple[State, str] | None] = {start: None}
    waiting, at_rest = deque([start]), 0
    while waiting:
        state = waiting.popleft()
        following = list(_following(state, size, rules))
        at_rest += not following
        violation = _judged(state, rules) or (None if following else _judged_at_rest(state))
        if violation:
            return Explored(len(came_from), at_rest, violation, _trace(state, came_from))
        for label, after in following:
            if after not in came_from:
                came_from[after] = (state, label)
                waiting.append(after)
    return Explored(len(came_from), at_rest, None)


def _following(state: State, size: Size, rules: frozenset[Rule]) -> Iterator[tuple[str, State]]:
    for number, writer in enumerate(state.writers):
        for label, after in _written(state, writer, size, rules):
            yield f"writer {number} {label}", _with_writer(*after, number)
    if not state.deleted:
        tombstone = Version(len(state.versions) + 1, "tombstone", seq=state.seq + 1)
        ended = tuple(_ended(v, state.seq + 1) for v in state.versions)
        yield "deletes", state._replace(seq=state.seq + 1, versions=(*ended, tombstone), deleted=True)
    yield from _collected(state, rules)
    yield from _read(state)


def _written(
    state: State, writer: Writer, size: Size, rules: frozenset[Rule]
) -> Iterator[tuple[str, tuple[State, Writer]]]:
    step, bit = writer.step, 1 << writer.version
    if step is Step.IDLE:
        version = Version(len(state.versions) + 1, "preparing")
        allocated = writer._replace(
            step=Step.WRITING, version=version.number, sent=(0, 0), rounds=writer.rounds + 1
        )
        yield "allocates", (state._replace(versions=(*state.versions, version)), allocated)
        return
    for store in (0, 1):
        # The first time while it writes, and once more at any time after.
        if (step is Step.WRITING and not writer.sent[store]) or (size.zombies and writer.sent[store] == 1):
            sent = _put(writer.sent, store, writer.sent[store] + 1)
            held = _put(state.stores, store, state.stores[store] | bit)
            yield f"writes to {store}", (state._replace(stores=held), writer._replace(sent=sent))
    held = [bool(store & bit) for store in state.stores]
    if step is Step.WRITING and (all(held) if Rule.VERIFY in rules else any(held)):
        yield "verifies", (state, writer._replace(step=Step.VERIFIED))
    if step is Step.VERIFIED or (step is Step.COMMITTING and not writer.in_flight and writer.lost < 2):
        sends = writer._replace(step=Step.COMMITTING, in_flight=writer.version)
        yield "sends its commit", (state, sends)
    if writer.in_flight:
        yield from _landed(state, writer, size, rules)
    if step in {Step.WRITING, Step.VERIFIED, Step.COMMITTING}:
        yield "gives up", (state, writer._replace(step=Step.GIVING_UP))
    yield from _taken_back(state, writer, size, rules)


def _landed(
    state: State, writer: Writer, size: Size, rules: frozenset[Rule]
) -> Iterator[tuple[str, tuple[State, Writer]]]:
    number = writer.in_flight if Rule.VERIFIED_ONLY in rules else writer.version
    after = _committed(state, number, rules)
    answer = next(v.state for v in after.versions if v.number == writer.in_flight)
    heard = writer.step is Step.COMMITTING and writer.in_flight == writer.version
    if heard:
        step = Step.DONE if answer == "committed" else Step.ABORTED
        yield "commits", (after, writer._replace(step=step, in_flight=0))
        if writer.lost < 1 and size.rounds > 1:
            # Answered, and delivered once more later.
            yield "commits, to come again", (after, writer._replace(step=step, lost=writer.lost + 1))
    yield "commits unheard", (after, writer._replace(in_flight=0, lost=writer.lost + heard))


def _committed(state: State, number: int, rules: frozenset[Rule]) -> State:
    version = state.versions[number - 1]
    if version.state == "committed" or (version.state == "aborted" and Rule.ONLY_PREPARING in rules):
        return state
    tombstone = max((v.number for v in state.versions if v.state == "tombstone"), default=0)
    newest = max(v.number for v in state.versions if v.state in {"committed", "tombstone"})
    buried = number < tombstone and Rule.TOMBSTONE in rules
    overtaken = number < newest and number > tombstone and Rule.MONOTONE in rules
    if buried or overtaken:
        rejected = _put(state.versions, number - 1, version._replace(state="aborted"))
        return state._replace(versions=rejected)
    seq = state.seq + 1
    ended = tuple(_ended(v, seq) for v in state.versions)
    committed = _put(ended, number - 1, Version(number, "committed", seq=seq))
    return state._replace(seq=seq, versions=committed)


def _taken_back(
    state: State, writer: Writer, size: Size, rules: frozenset[Rule]
) -> Iterator[tuple[str, tuple[State, Writer]]]:
    version = state.versions[writer.version - 1]
    bit = 1 << writer.version
    marked = state._replace(
        versions=_put(state.versions, writer.version - 1, version._replace(state="aborted"))
    )
    if writer.step is Step.GIVING_UP:
        if Rule.DECIDE_BEFORE_CLEANING not in rules:
            yield "cleans undecided", (state, writer._replace(step=Step.ABORTED))
        elif version.state == "committed":
            yield "finds it committed", (state, writer._replace(step=Step.DONE, rounds=size.rounds))
        else:
            # Given up is given up: no further round.
            yield "aborts", (marked, writer._replace(step=Step.ABORTED, rounds=size.rounds))
    if writer.step is Step.ABORTED:
        cleaned = state._replace(stores=_put(state.stores, 0, state.stores[0] & ~bit))
        yield "cleans 0", (cleaned, writer._replace(step=Step.HALF_CLEAN))
    if writer.step is Step.HALF_CLEAN:
        after = marked if version.state == "preparing" else state
        cleaned = after._replace(stores=_put(state.stores, 1, state.stores[1] & ~bit))
        again = writer.rounds < size.rounds and version.state == "aborted"
        yield "cleans 1", (cleaned, writer._replace(step=Step.IDLE if again else Step.DONE))


def _collected(state: State, rules: frozenset[Rule]) -> Iterator[tuple[str, State]]:
    reading = 0 < state.reader.step < 4
    for version in state.versions:
        wanted = reading and state.reader.seq < version.ended and Rule.GRACE in rules
        superseded = version.state == "committed" and version.ended < _NEVER and not wanted
        careless = version.state == "preparing" and Rule.EXACT_GARBAGE not in rules
        for store in (0, 1):
            bit = 1 << version.number
            if state.stores[store] & bit and (superseded or careless or version.state == "aborted"):
                kept = _put(state.stores, store, state.stores[store] & ~bit)
                yield f"{version.number} is collected from {store}", state._replace(stores=kept)


def _read(state: State) -> Iterator[tuple[str, State]]:
    reader = state.reader
    if reader.step == 0:
        yield "reader takes its snapshot", state._replace(reader=Reader(step=1, seq=state.seq))
    if reader.step in {1, 2}:
        store = reader.step - 1
        found = _put(reader.found, store, state.stores[store])
        yield f"reader searches {store}", state._replace(reader=reader._replace(step=store + 2, found=found))
    if reader.step == 3:
        now = _visible(state, state.seq)
        yield "reader validates", state._replace(reader=reader._replace(step=4, now=now))


def _judged(state: State, rules: frozenset[Rule]) -> str | None:
    live = [v.number for v in state.versions if v.visible_at(state.seq)]
    if len(live) > 1:
        return f"I1: heads {live}"
    if any(not state.stores[s] & 1 << number for number in live for s in (0, 1)):
        return f"I4: a store lacks parts of {live}"
    tombstone = next((v for v in state.versions if v.state == "tombstone"), None)
    if tombstone and any(v.number < tombstone.number and v.visible_at(state.seq) for v in state.versions):
        return "I5: seen after its deletion"
    order = [v.seq for v in state.versions if v.seq < _NEVER]
    if order != sorted(order):
        return f"I6: versions committed at {order}"
    return _judged_read(state, rules) if state.reader.step == 4 and state.reader.seq else None


def _judged_read(state: State, rules: frozenset[Rule]) -> str | None:
    reader = state.reader
    truth = _visible(state, reader.seq)
    shown = truth if Rule.SNAPSHOT in rules else reader.now
    if Rule.READ_FILTER not in rules:
        shown = ~0
    one, other = reader.found[0] & shown, reader.found[1] & shown
    if one != other:
        return f"I2: the stores showed {one:b} and {other:b}"
    return None if one == truth or shown != truth else f"I3: showed {one:b}, true is {truth:b}"


def _judged_at_rest(state: State) -> str | None:
    live = _visible(state, state.seq)
    return None if state.stores == (live, live) else f"I7: the stores hold {state.stores}, seen is {live:b}"


def _visible(state: State, seq: int) -> int:
    return sum(1 << v.number for v in state.versions if v.visible_at(seq))


def _ended(version: Version, seq: int) -> Version:
    alive = version.state == "committed" and version.ended == _NEVER
    return version._replace(ended=seq) if alive else version


def _with_writer(state: State, writer: Writer, number: int) -> State:
    return state._replace(writers=_put(state.writers, number, writer))


def _put(things: tuple[T, ...], at: int, thing: T) -> Any:
    return (*things[:at], thing, *things[at + 1 :])


def _trace(state: State, came_from: dict[State, tuple[State, str] | None]) -> tuple[str, ...]:
    labels: list[str] = []
    while step := came_from[state]:
        state, label = step
        labels.append(label)
    return tuple(reversed(labels))
