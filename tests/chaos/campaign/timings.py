"""A segment's history and faults in, how long reads took and how soon interrupted writes went on out."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tests.chaos.campaign.history import Operation

_READS = frozenset({"search", "entity"})
_NS = 1e9


@dataclass
class Reads:
    """Over HTTP. whole, partial: answers; refused: told to come again, 503; lost: no answer at all."""

    whole: list[float] = field(default_factory=list[float])
    partial: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    lost: Counter[str] = field(default_factory=Counter[str])

    def add(self, operations: Iterable[Operation]) -> None:
        for operation in operations:
            if operation.op not in _READS:
                continue
            took_s = (operation.ret - operation.inv) / _NS
            if operation.out == "ok":
                (self.partial if operation.missing else self.whole).append(took_s)
            elif operation.why == "503":
                self.refused.append(took_s)
            elif operation.out == "info":
                self.lost[operation.why] += 1


def resumed(operations: Iterable[Operation], deaths_ns: Sequence[int]) -> list[float]:
    """Seconds until the last write that was under way at a death had ended. Of a death at rest, nothing."""
    sent: dict[str, int] = {}
    ended: list[tuple[int, int]] = []
    for operation in operations:
        if operation.out != "ok":
            continue
        if operation.op == "send":
            sent.setdefault(operation.ingestion, operation.ret)
        elif operation.op == "settle" and operation.ingestion in sent:
            ended.append((sent.pop(operation.ingestion), operation.ret))
    waits = ([end - death for begin, end in ended if begin < death < end] for death in deaths_ns)
    return [max(each) / _NS for each in waits if each]
