"""Answers and violations of a run in, its report out."""

from collections import Counter
from dataclasses import dataclass, field

from tests.fuzz.wire import Request

#: Of one kind so many are shown whole; the rest are counted.
SHOWN = 3


@dataclass(frozen=True)
class Violation:
    """kind: which promise. repeat: the arguments that repeat it. story: what happened, and the request."""

    kind: str
    repeat: str
    story: str


@dataclass
class Part:
    """What came of one part of the fuzz. options: further arguments that make the same requests."""

    name: str
    seed: int
    options: str = ""
    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter[int])
    #: What the requests were, in words of the part.
    kinds: Counter[str] = field(default_factory=Counter[str])
    violations: list[Violation] = field(default_factory=list[Violation])

    def count(self, status: int, kind: str) -> None:
        self.requests += 1
        self.statuses[status] += 1
        self.kinds[kind] += 1

    def violated(self, kind: str, *, number: int, request: Request, story: str) -> None:
        repeat = f"--seed {self.seed}{self.options} --only {self.name}:{number}"
        self.violations.append(Violation(kind, repeat, f"{story}\n{request.shown()}"))

    def lines(self) -> list[str]:
        return [
            f"{self.name}: {self.requests:,} requests, seed {self.seed}, {len(self.violations)} violations",
            f"  statuses: {_counted(self.statuses)}",
            f"  requests: {_counted(self.kinds)}",
            *(line for violation in self._shown() for line in _told(violation)),
        ]

    def _shown(self) -> list[Violation]:
        seen: Counter[str] = Counter()
        shown: list[Violation] = []
        for violation in self.violations:
            seen[violation.kind] += 1
            if seen[violation.kind] <= SHOWN:
                shown.append(violation)
        return shown


def _counted(counts: Counter[int] | Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def _told(violation: Violation) -> list[str]:
    story = violation.story.replace("\n", "\n    ")
    return [f"  VIOLATION {violation.kind} ({violation.repeat})", f"    {story}"]
