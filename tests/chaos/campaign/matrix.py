"""What can break, where, and how it must end: every cell of the campaign, in one list."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

#: How a write that was under way must end.
OUTCOMES: Final = {
    "C": "commits, once",
    "A": "commits or is aborted: never half",
    "I": "its client may see a timeout; then C or A",
    "D": "C, and only later",
}

STORES: Final = ("postgres", "vectors", "neo4j", "redis")
SERVICES: Final = (*STORES, "temporal")
PROCESSES: Final = ("api", "relay", "worker-flow", "worker-write")
WORKER_PROCESSES: Final = ("worker-flow", "worker-write")


@dataclass(frozen=True)
class Cell:
    """One fault at one target.

    lasts: seconds, from and to. copies: in one deal of the deck. heavy: never two of these at once.
    need: of the machine, see `machine.look`. point: where in the protocol, if it is aimed.
    """

    fault: str
    target: str
    outcome: str
    lasts: tuple[float, float] = (0.3, 2.0)
    copies: int = 2
    heavy: bool = False
    need: str = ""
    point: str = "any"

    @property
    def name(self) -> str:
        place = f"@{self.point}" if self.point != "any" else ""
        return f"{self.fault}:{self.target}{place}"


def _wires() -> Iterator[Cell]:
    for target in SERVICES:
        outcome = "D" if target == "redis" else "I" if target == "postgres" else "C"
        yield Cell("refuse", target, outcome, copies=5)
        yield Cell("reset", target, outcome, lasts=(0.0, 0.0), copies=6)
        yield Cell("reset-reply", target, outcome, copies=5)
        yield Cell("lost-acknowledgement", target, outcome, copies=6)
        yield Cell("blackhole", target, outcome, copies=4)
        yield Cell("slow", target, "D", lasts=(1.0, 3.0), copies=4)
        yield Cell("partial-answer", target, outcome, copies=5)
        yield Cell("partial-batch", target, outcome, copies=5)
    for target in STORES:
        yield Cell("blackhole-long", target, "D", lasts=(8.0, 12.0), copies=1, heavy=True)


def _processes() -> Iterator[Cell]:
    for target in SERVICES:
        outcome = "D" if target == "redis" else "I" if target == "postgres" else "C"
        heavy = target == "neo4j"
        yield Cell("kill", target, outcome, lasts=(0.0, 0.0), copies=1 if heavy else 3, heavy=heavy)
        yield Cell("freeze", target, outcome, lasts=(0.5, 2.0), copies=2)
        yield Cell("out-of-memory", target, outcome, lasts=(0.0, 0.0), copies=1, need="memory", heavy=heavy)
        yield Cell("freeze-long", target, outcome, lasts=(6.0, 8.0), copies=1, heavy=True)
    for target in PROCESSES:
        yield Cell("kill", target, "C", lasts=(0.0, 0.0), copies=3, heavy=True)
        yield Cell("terminate", target, "C", lasts=(0.0, 0.0), copies=1, heavy=True)
        yield Cell("freeze", target, "C", lasts=(0.5, 2.0), copies=2)
    for target in WORKER_PROCESSES:
        yield Cell("zombie", target, "C", lasts=(6.0, 8.0), copies=2, heavy=True)
        yield Cell("out-of-memory", target, "C", lasts=(0.0, 0.0), copies=1, need="memory", heavy=True)
        yield Cell("no-memory", target, "C", lasts=(1.0, 2.0), copies=1)
    yield Cell("backend-killed", "postgres", "I", lasts=(0.0, 0.0), copies=2)


def _disks() -> Iterator[Cell]:
    yield Cell("disk-full", "postgres", "I", lasts=(1.0, 3.0), copies=1, need="disk")
    yield Cell("disk-full", "vectors", "C", lasts=(1.0, 3.0), copies=1, need="disk")
    yield Cell("disk-full", "neo4j", "C", lasts=(1.0, 3.0), copies=1, need="disk", heavy=True)
    yield Cell("disk-full", "staging", "C", lasts=(1.0, 3.0), copies=1, need="disk")
    yield Cell("fsync-error", "postgres", "I", lasts=(0.5, 1.0), copies=1, need="strace")
    yield Cell("power-cut", "postgres", "I", lasts=(0.0, 0.0), copies=1, need="disk")
    yield Cell("power-cut", "vectors", "C", lasts=(0.0, 0.0), copies=1, need="disk")
    yield Cell("power-cut", "neo4j", "C", lasts=(0.0, 0.0), copies=1, need="disk", heavy=True)


def _others() -> Iterator[Cell]:
    yield Cell("flushall", "redis", "D", lasts=(0.0, 0.0), copies=3)
    yield Cell("gone", "redis", "D", lasts=(3.0, 6.0), copies=1)
    for target, sign in (("worker-write", "+"), ("worker-write", "-"), ("worker-flow", "+"), ("relay", "-")):
        point = f"{sign}1h"
        yield Cell("clock", target, "C", lasts=(4.0, 6.0), copies=1, need="clock", heavy=True, point=point)
    yield Cell("clock", "postgres", "C", lasts=(2.0, 4.0), copies=1, need="clock", point="+1h")
    yield Cell("cancel", "workflow", "A", lasts=(0.0, 0.0), copies=3)
    yield Cell("terminate", "workflow", "A", lasts=(0.0, 0.0), copies=1)
    yield Cell("cancel-without", "neo4j", "A", lasts=(6.0, 9.0), copies=1, heavy=True)
    yield Cell("cancel-without", "vectors", "A", lasts=(6.0, 9.0), copies=1, heavy=True)
    yield Cell("cancel-twice", "workflow", "A", lasts=(0.3, 1.0), copies=1)


#: kill -9 of the process at exactly this point of the protocol (see `apex_memory.failpoints`).
_KILLED_AT: Final = {
    "api": ("inbox.accept.before", "inbox.accept.after"),
    "relay": ("inbox.claim.after", "temporal.start_workflow.after", "inbox.started.after"),
    "worker-flow": (
        "staging.write.after",
        "embedder.embed.after",
        "inbox.close.before",
        # The steps of small batches.
        "ledger.allocate.after",
        "neo4j.prepare.after",
        "ledger.commit.before",
        "ledger.commit.after",
    ),
    "worker-write": (
        "ledger.allocate.after",
        "postgres.prepare.after",
        "qdrant.prepare.after",
        "neo4j.prepare.after",
        "neo4j.read_back.after",
        "ledger.commit.before",
        "ledger.commit.after",
        "ledger.abort.after",
        "qdrant.discard.after",
        "ledger.cleaned.before",
    ),
}
_LOST_AT: Final = (
    "ledger.allocate.after",
    "ledger.commit.after",
    "ledger.abort.after",
    "neo4j.discard.after",
)
_PARTLY_AT: Final = ("postgres.prepare.before", "qdrant.prepare.before", "neo4j.prepare.before")


def _points() -> Iterator[Cell]:
    for target, points in _KILLED_AT.items():
        for point in points:
            yield Cell("kill-at", target, "C", lasts=(0.0, 0.0), copies=1, heavy=True, point=point)
    for point in _LOST_AT:
        yield Cell("lost-at", "worker-write", "C", lasts=(3.0, 5.0), copies=1, heavy=True, point=point)
    for point in _PARTLY_AT:
        yield Cell("partial-at", "worker-write", "C", lasts=(3.0, 5.0), copies=1, heavy=True, point=point)


CELLS: Final = (*_wires(), *_processes(), *_disks(), *_others(), *_points())
