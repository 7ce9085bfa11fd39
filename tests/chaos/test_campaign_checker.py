"""A clean history with one fault planted in it; the checker must name the fault, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.chaos.campaign.checker import KINDS, check
from tests.chaos.campaign.history import Operation, Seen

History = list[Operation]
ITEMS, ROUNDS = 4, 25
TENANTS = ("a", "b")


def _operation(op: str, tenant: str, at: int, **fields: object) -> Operation:
    return Operation(op=op, proc="p", tenant=tenant, inv=at, ret=at + 5, out="ok", **fields)  # pyright: ignore[reportArgumentType] - the fields of one operation


def _item(n: int) -> str:
    return f"turvo:H{n % ITEMS}"


def _token(tenant: str, n: int) -> str:
    return f"zq{tenant}1n{n}"


def clean(rounds: int = ROUNDS) -> History:
    """Each write is sent, told to be committed, and read in every way; then what PostgreSQL holds."""
    history: History = []
    for tenant in TENANTS:
        for n in range(1, rounds + 1):
            history += _life(tenant, n, at=n * 100)
        history += [row for n in range(1, rounds + 1) for row in _truth(tenant, n, rounds)]
    return history


def _life(tenant: str, n: int, *, at: int) -> History:
    item, token, version = _item(n), _token(tenant, n), (n - 1) // ITEMS + 1
    named = {"item": item, "token": token, "ingestion": f"i{n}"}
    hit = Seen(item=item, version=version, token=token, part="hit")
    fact = replace(hit, part="fact")
    return [
        _operation("send", tenant, at, **named, request=f"k{n}", as_of=f"t{n}"),
        _operation("send", tenant, at + 10, **named, request=f"k{n}", as_of=f"t{n}"),
        _operation("settle", tenant, at + 20, **named, outcome="committed", version=version, seq=n),
        _operation("search", tenant, at + 30, wanted=item, seq=n, min_seq=n, saw=(hit, fact)),
        _operation("entity", tenant, at + 40, wanted=item, seq=n, saw=(fact,)),
        _operation("item", tenant, at + 50, item=item, version=version, as_of=f"t{n}"),
    ]


def _truth(tenant: str, n: int, rounds: int) -> History:
    version = (n - 1) // ITEMS + 1
    superseded = n + ITEMS if n + ITEMS <= rounds else 0
    same = {"item": _item(n), "ingestion": f"i{n}", "outcome": "committed", "version": version, "seq": n}
    return [
        _operation("inbox", tenant, 10**9, request=f"k{n}", **same),
        _operation("ledger", tenant, 10**9, superseded=superseded, **same),
    ]


def _find(history: History, op: str, n: int, tenant: str = "a") -> int:
    """Where the n-th operation of this kind is."""
    places = [place for place, o in enumerate(history) if o.op == op and o.tenant == tenant]
    return places[n - 1]


def _change(op: str, n: int, **fields: object) -> Callable[[History], None]:
    def plant(history: History) -> None:
        place = _find(history, op, n)
        history[place] = replace(history[place], **fields)  # pyright: ignore[reportArgumentType] - as above

    return plant


def _drop(op: str, n: int) -> Callable[[History], None]:
    def plant(history: History) -> None:
        del history[_find(history, op, n)]

    return plant


def _see(n: int, **fields: object) -> Callable[[History], None]:
    """The first thing that the n-th search saw is another."""

    def plant(history: History) -> None:
        place = _find(history, "search", n)
        search = history[place]
        first = replace(search.saw[0], **fields)  # pyright: ignore[reportArgumentType] - the fields of what was seen
        history[place] = replace(search, saw=(first, *search.saw[1:]))

    return plant


def _older_snapshot(history: History) -> None:
    """A search at the snapshot before a commit that its own client had been told of."""
    place = _find(history, "search", 10)
    history[place] = replace(history[place], seq=9, min_seq=0, wanted="", saw=())


def _deleted(history: History) -> None:
    """Item H1 was deleted at 22, after its version 6 was committed at 21; a search at 22 sees it still."""
    tombstone = {"item": "turvo:H1", "outcome": "deleted", "version": 6, "seq": 22}
    _change("ledger", 21, superseded=22)(history)
    _drop("search", 25)(history)
    _drop("entity", 25)(history)
    _drop("item", 25)(history)
    for kind, n in (("ledger", 25), ("inbox", 25), ("settle", 25), ("send", 50), ("send", 49)):
        _drop(kind, n)(history)
    history.append(_operation("ledger", "a", 10**9, **tombstone))
    seen = Seen(item="turvo:H1", version=6, token=_token("a", 21), part="hit")
    place = _find(history, "search", 22)
    history[place] = replace(history[place], saw=(*history[place].saw, seen))


def _duplicated_commit(history: History) -> None:
    row = history[_find(history, "ledger", 25)]
    history.append(replace(row, version=row.version + 1, seq=26, superseded=26))


PLANTED: list[tuple[str, str, Callable[[History], None]]] = [
    ("lost", "a commit that was told is not in the ledger", _drop("ledger", 25)),
    ("lost", "an accepted event is not in the inbox", _drop("inbox", 25)),
    ("lost", "an accepted event never ends", _change("inbox", 25, outcome="")),
    ("lost", "a search misses what is visible", _change("search", 7, saw=())),
    ("lost", "an entity has no facts", _change("entity", 7, saw=())),
    ("lost", "an item is not found", _change("item", 7, version=0, as_of="")),
    ("duplicated", "one request, two ingestions", _change("send", 8, ingestion="other")),
    ("duplicated", "one event, two versions", _duplicated_commit),
    ("duplicated", "two versions visible at once", _change("ledger", 3, superseded=0)),
    ("torn", "two versions in one answer", _see(9, version=2)),
    ("torn", "the text of one version under the number of another", _see(9, token=_token("a", 5))),
    ("torn", "a version that was aborted", _change("ledger", 25, outcome="aborted")),
    ("torn", "a card with another version's time", _change("item", 7, as_of="t3")),
    ("stale", "a snapshot before a known commit", _older_snapshot),
    ("stale", "a snapshot before the one demanded", _change("search", 9, min_seq=12)),
    ("stale", "an item's version that had been superseded", _change("item", 9, version=2, as_of="t5")),
    ("resurrected", "seen after its deletion", _deleted),
    ("foreign", "a token of another tenant", _see(9, token=_token("b", 9))),
    ("corrupt", "a text that nobody sent", _see(9, whole=False)),
    ("corrupt", "a token that nobody sent", _see(9, token=_token("a", 777))),
    ("disordered", "a higher version committed earlier", _change("ledger", 21, seq=2, superseded=2)),
    ("broken", "a search answered with 500", _change("search", 9, out="info", why="500")),
    ("dropped", "given up without a cancel", _change("inbox", 25, outcome="aborted")),
]


def test_a_clean_history_is_found_clean() -> None:
    assert check(clean()).violations == {}


@pytest.mark.parametrize(
    ("kind", "plant"), [(k, p) for k, _, p in PLANTED], ids=[f"{k}: {w}" for k, w, _ in PLANTED]
)
def test_a_planted_fault_is_found(kind: str, plant: Callable[[History], None]) -> None:
    history = clean()
    plant(history)

    assert kind in check(history).violations


def test_every_kind_of_violation_is_planted() -> None:
    assert {kind for kind, _, _ in PLANTED} == set(KINDS)


def test_what_the_campaign_ended_itself_is_excused() -> None:
    history = clean()
    _change("inbox", 25, outcome="aborted", version=0, seq=0)(history)
    for op, n in (("settle", 25), ("search", 25), ("entity", 25), ("item", 25), ("ledger", 25)):
        _drop(op, n)(history)

    verdict = check(history, excused={"i25"})

    assert (verdict.violations, verdict.excused) == ({}, 1)


def test_a_partial_answer_may_miss_what_is_visible() -> None:
    history = clean()
    _change("search", 7, saw=(), missing=("qdrant",))(history)

    assert check(history).violations == {}


def test_a_read_during_a_commit_may_see_either_version() -> None:
    history = clean()
    place = _find(history, "item", 9)
    # Begun before version 3 was told to be committed: it may still find version 2, which spoke of t5.
    history[place] = replace(history[place], inv=900 + 10, version=2, as_of="t5")

    assert check(history).violations == {}


def test_an_operation_is_read_as_it_was_written() -> None:
    operation = clean(1)[3]

    assert Operation.of(operation.line()) == operation


@pytest.mark.timeout(60)
def test_a_long_history_is_judged_in_seconds() -> None:
    history = clean(8_000)

    assert len(history) > 100_000
    assert check(history).violations == {}
