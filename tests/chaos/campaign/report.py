"""Directories of campaigns in, one report on all of them out, as values and as Markdown."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from tests.chaos.campaign.checker import KINDS
from tests.chaos.campaign.history import read_history
from tests.chaos.campaign.matrix import CELLS, OUTCOMES
from tests.chaos.campaign.timings import Reads, resumed


@dataclass
class Report:
    """Sums over segments. recoveries: seconds, by fault, of faults that happened alone."""

    segments: int = 0
    unjudged: int = 0
    seeds: set[int] = field(default_factory=set[int])
    commits: set[str] = field(default_factory=set[str])
    lasted_s: float = 0.0
    operations: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    cells: Counter[str] = field(default_factory=Counter[str])
    recoveries: defaultdict[str, list[float]] = field(
        default_factory=lambda: defaultdict[str, list[float]](list)
    )
    unrecovered: list[str] = field(default_factory=list[str])
    violations: Counter[str] = field(default_factory=Counter[str])
    described: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    audits: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    excused: int = 0
    rescued: Counter[str] = field(default_factory=Counter[str])
    lacks: dict[str, str] = field(default_factory=dict[str, str])
    reads: Reads = field(default_factory=Reads)
    resumed: list[float] = field(default_factory=list[float])

    @property
    def clean(self) -> bool:
        kinds = ("incomplete", "unknown", "orphans")
        differ = any(audit[kind] for audit in self.audits for kind in kinds)
        under_way = any(any(audit["under_way"].values()) for audit in self.audits)
        return not (self.violations or differ or under_way)

    def as_json(self) -> dict[str, Any]:
        return {
            "clean": self.clean,
            "segments": self.segments,
            "unjudged": self.unjudged,
            "seeds": sorted(self.seeds),
            "commits": sorted(self.commits),
            "lasted_s": round(self.lasted_s),
            "operations": self.operations,
            "counts": dict(self.counts),
            "faults": {f"{fault}:{target}": n for (fault, target), n in self.faults.items()},
            "cells": dict(self.cells),
            "recoveries": {name: _three(times) for name, times in self.recoveries.items()},
            "unrecovered": self.unrecovered,
            "violations": dict(self.violations),
            "described": self.described,
            "audits": self.audits,
            "excused": self.excused,
            "rescued": dict(self.rescued),
            "lacks": self.lacks,
        }


def summed(roots: Iterable[Path]) -> Report:
    """A segment that was killed before its audit counts as unjudged, and nothing else of it is counted."""
    report = Report()
    for root in roots:
        for folder in sorted(root.glob("segment-*")):
            verdict = folder / "verdict.json"
            if verdict.exists():
                _add(report, folder, orjson.loads(verdict.read_bytes()))
            else:
                report.unjudged += 1
    return report


def _add(report: Report, folder: Path, verdict: dict[str, Any]) -> None:
    report.segments += 1
    report.seeds.add(verdict["seed"])
    report.commits.add(verdict["commit"])
    report.lasted_s += verdict["lasted_s"]
    report.operations += verdict["operations"]
    report.counts.update(verdict["counts"])
    report.violations.update(verdict["violations"])
    report.described += [{"segment": str(folder), **violation} for violation in verdict["described"]]
    report.excused += verdict["excused"]
    report.rescued.update(verdict["rescued"])
    report.audits.append({"segment": str(folder), **verdict["audit"]})
    report.lacks.update(orjson.loads((folder / "machine.json").read_bytes()))
    operations = list(read_history([folder / "history.jsonl"]))
    report.reads.add(operations)
    log = folder / "faults.jsonl"
    happened = [orjson.loads(line) for line in log.read_bytes().splitlines()] if log.exists() else []
    deaths = [done["at_ns"] for done in happened if done["alone"] and _kills_a_worker(done)]
    report.resumed += resumed(operations, deaths)
    for done in happened:
        report.faults[done["fault"], done["target"]] += 1
        report.cells[done["cell"]] += 1
        if not done["alone"]:
            continue
        if done["recovered_s"] is None:
            report.unrecovered.append(done["cell"])
        else:
            report.recoveries[f"{done['fault']}:{done['target']}"].append(done["recovered_s"])


def markdown(report: Report) -> str:
    lines = [
        "# Chaos campaign",
        "",
        _headline(report),
        "",
        *_table(("Operations", "Number"), [(name, report.counts[name]) for name in ("ok", "fail", "info")]),
        "",
        *_table(("Violation", "Number"), [(kind, report.violations[kind]) for kind in KINDS]),
        "",
        *_table(("At rest, all segments", "Number"), _at_rest(report)),
        "",
        *_table(("Recovery, seconds", "Faults", "p50", "p99", "max"), _recovered(report)),
        "",
        *_table(("Reads over HTTP, seconds", "Number", "p50", "p99", "max"), _read(report.reads)),
        "",
        *_table(("Fault", "Target", "Must end as", "Happened"), _cells(report)),
        "",
        *(f"{letter}: {meaning}.  " for letter, meaning in OUTCOMES.items()),
    ]
    if report.unjudged:
        lines += ["", f"{report.unjudged} segments were killed before their audit and are not counted."]
    return "\n".join(lines) + "\n"


def _headline(report: Report) -> str:
    faults = sum(report.faults.values())
    minutes = report.lasted_s / 60 or 1
    return (
        f"{faults} faults, {report.operations} operations, {report.segments} segments, "
        f"{minutes:.0f} minutes ({faults / minutes:.0f} faults a minute, "
        f"{report.operations / minutes / 60:.0f} operations a second). "
        f"Seeds {_listed(report.seeds)}; commits {_listed(report.commits)}."
    )


def _at_rest(report: Report) -> list[tuple[str, object]]:
    total: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    mended: Counter[str] = Counter()
    for audit in report.audits:
        outcomes.update(audit["outcomes"])
        for name in ("versions", "committed", "bare_entities"):
            total[name] += audit[name]
        total.update(audit["under_way"])
        mended.update(audit["mended"])
        for name in ("incomplete", "unknown", "orphans"):
            total[name] += len(audit[name])
    return [
        *((f"events {outcome}", n) for outcome, n in sorted(outcomes.items())),
        ("events that have not ended", total["unsettled"]),
        ("events whose workflow the campaign ended", report.excused),
        ("batches that nobody has closed", total["open"]),
        ("versions that nobody has decided", total["preparing"]),
        ("aborted versions that nobody has cleaned", total["pending"]),
        ("deletions without a receipt", total["forgetting"]),
        ("versions committed", total["committed"]),
        ("versions that are not complete in a store", total["incomplete"]),
        ("versions in a store that the ledger does not know", total["unknown"]),
        ("aborted or collected versions in a store", total["orphans"]),
        *(
            (f"restarts of {name}, which ran and did not answer", n)
            for name, n in sorted(report.rescued.items())
        ),
        *((f"upkeep, by hand: {what}", n) for what, n in sorted(mended.items())),
    ]


def _recovered(report: Report) -> list[tuple[object, ...]]:
    """Until a write that began after the fault has committed; of a killed worker, also the ones under way."""
    every = [seconds for times in report.recoveries.values() for seconds in times]
    rows = [
        ("all", every),
        ("worker killed: what was under way has ended", report.resumed),
        *sorted(report.recoveries.items()),
    ]
    return [(name, len(times), *_three(times)) for name, times in rows if times]


def _read(reads: Reads) -> list[tuple[object, ...]]:
    rows = [("whole answers", reads.whole), ("answers that say what they lack", reads.partial)]
    answered = [*rows, ("503, come again", reads.refused)]
    told = [(name, len(times), *(round(s, 3) for s in _three(times))) for name, times in answered if times]
    lost = sorted(reads.lost.items())
    return [*told, *((f"no answer: {why}", n, "", "", "") for why, n in lost)]


def _kills_a_worker(done: dict[str, Any]) -> bool:
    return done["fault"] in {"kill", "out-of-memory"} and done["target"].startswith("worker")


def _cells(report: Report) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for cell in CELLS:
        happened: object = report.cells[cell.name]
        if not happened and report.lacks.get(cell.need):
            happened = f"impossible here: {report.lacks[cell.need]}"
        point = f" ({cell.point})" if cell.point != "any" else ""
        rows.append((f"{cell.fault}{point}", cell.target, cell.outcome, happened))
    return rows


def _three(times: Sequence[float]) -> tuple[float, float, float]:
    """p50, p99, max."""
    ordered = sorted(times)
    return (
        ordered[len(ordered) // 2],
        ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))],
        ordered[-1],
    )


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> list[str]:
    body = [f"| {' | '.join(map(str, row))} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *body]


def _listed(things: Iterable[object]) -> str:
    return ", ".join(f"`{thing}`" for thing in sorted(things, key=str)) or "none"
