"""`run` or `report` in, a campaign or its report out."""

import argparse
import asyncio
import logging
import random
import sys
import time
from pathlib import Path
from typing import Final

import orjson
import structlog
from tests.chaos.campaign.campaign import Campaign, Plan
from tests.chaos.campaign.clients import Pace
from tests.chaos.campaign.matrix import CELLS
from tests.chaos.campaign.report import markdown, summed

from apex_memory.process import run_to_its_end
from apex_memory.settings import apex_home

SAMPLE_FAULTS: Final = 300
SAMPLE_MINUTES: Final = 12.5


def main() -> None:
    asked = _arguments()
    if asked.command == "report":
        _report(asked.roots)
        return
    seed = asked.seed if asked.seed is not None else random.randrange(10_000)
    root: Path = (asked.dir or apex_home() / "chaos" / f"seed-{seed}").resolve()
    root.mkdir(parents=True, exist_ok=True)
    faults = asked.faults or SAMPLE_FAULTS
    minutes = asked.minutes if asked.minutes or asked.faults else SAMPLE_MINUTES
    ends_at = time.time() + minutes * 60 if minutes else float("inf")
    _say(f"SEED={seed}, {faults} faults, in {root}; Ctrl-C ends it in order, the same command goes on")
    # Drivers, and the product's readers in this process, report each connection that breaks.
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    named: str = asked.only
    only = frozenset(filter(None, named.split(",")))
    if unknown := only - {name for cell in CELLS for name in (cell.fault, f"{cell.fault}:{cell.target}")}:
        raise SystemExit(f"no such fault: {', '.join(sorted(unknown))}")
    pace = Pace().slower(asked.slower)
    plan = Plan(root=root, seed=seed, faults=faults, ends_at=ends_at, only=only, pace=pace, spare=asked.spare)
    asyncio.run(Campaign(plan, say=_say).run())
    raise SystemExit(0 if _report([root]) else 1)


def _report(roots: list[Path]) -> bool:
    """Whether it is clean."""
    report = summed(roots)
    text = markdown(report)
    if len(roots) == 1:
        (roots[0] / "report.md").write_text(text)
        (roots[0] / "report.json").write_bytes(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2))
    sys.stdout.write(text)
    return report.clean


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.chaos.campaign", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="begin a campaign, or go on with one")
    run.add_argument("--faults", type=int, help=f"until so many; default {SAMPLE_FAULTS}")
    run.add_argument("--seed", type=int, help="what decides the order of faults and operations")
    run.add_argument("--minutes", type=float, help=f"at most; default {SAMPLE_MINUTES:g}, with --faults none")
    run.add_argument("--only", default="", help="these, with commas: kill, or kill:worker-write; default all")
    run.add_argument("--slower", type=float, default=1.0, help="clients wait so many times as long")
    run.add_argument("--spare", action="store_true", help="with a second worker process, that lives on")
    run.add_argument("--dir", type=Path, help="default: .apex/chaos/seed-SEED")
    report = commands.add_parser("report", help="sum up campaigns")
    report.add_argument("roots", nargs="+", type=Path, metavar="DIR")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    run_to_its_end(main)
