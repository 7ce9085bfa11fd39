"""Operations in, one JSON line each out; and back."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Self

import orjson

Out = Literal["ok", "fail", "info"]

#: Written at least this often, in lines, so that a history survives a harness that is killed.
FLUSH_EVERY: Final = 64


@dataclass(frozen=True, slots=True)
class Seen:
    """What a read found of one item: in `part` (hit, fact, card) the version and the token it carried.

    `whole`: the text is, to the letter, what the token's writer sent.
    """

    item: str
    version: int
    token: str
    part: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Operation:
    """One call of one client, with its begin and end in monotonic nanoseconds.

    op `send`: an attempt to hand a write in; `settle`: how it ended; `item`, `search`, `entity`: reads;
    `delete`: a deletion. `ledger` and `inbox` are what PostgreSQL holds at the end, and stand for its truth.

    out: `ok` happened; `fail` did not happen or, for a read, told nothing; `info` nobody knows.
    request: the idempotency key; `ingestion` its id. content: when the item's content is repeated, its token.
    seq: the snapshot that was answered, or the commit. min_seq: what a read demanded.
    wanted: the item that a read asked for, and that must be in `saw` if it is visible.
    """

    op: str
    proc: str
    tenant: str
    inv: int
    ret: int
    out: Out
    item: str = ""
    request: str = ""
    ingestion: str = ""
    token: str = ""
    as_of: str = ""
    outcome: str = ""
    version: int = 0
    seq: int = 0
    superseded: int = 0
    min_seq: int = 0
    wanted: str = ""
    missing: tuple[str, ...] = ()
    saw: tuple[Seen, ...] = ()
    why: str = ""
    tags: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, line: bytes | str) -> Self:
        fields: dict[str, Any] = orjson.loads(line)
        fields["saw"] = tuple(Seen(**seen) for seen in fields.get("saw", ()))
        for name in ("missing", "tags"):
            fields[name] = tuple(fields.get(name, ()))
        return cls(**fields)

    def line(self) -> bytes:
        """Fields at their defaults are left out."""
        return orjson.dumps({k: v for k, v in asdict(self).items() if v or k in _ALWAYS}) + b"\n"


_ALWAYS: Final = frozenset({"op", "proc", "tenant", "inv", "ret", "out"})


class History:
    """Appends to one file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab")
        self._unwritten = 0
        self.counts: dict[Out, int] = {"ok": 0, "fail": 0, "info": 0}

    @property
    def operations(self) -> int:
        return sum(self.counts.values())

    def note(self, operation: Operation) -> None:
        self.counts[operation.out] += 1
        self.keep(operation)

    def keep(self, operation: Operation) -> None:
        """A line that is no client's operation: what PostgreSQL holds at the end."""
        self._file.write(operation.line())
        self._unwritten += 1
        if self._unwritten >= FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        self._file.flush()
        self._unwritten = 0

    def close(self) -> None:
        self._file.close()


def read_history(paths: Iterable[Path]) -> Iterator[Operation]:
    """The operations of one segment. A last line that was cut off by a kill is left out."""
    for path in paths:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield Operation.of(line)
