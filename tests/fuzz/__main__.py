"""How many requests and a seed in, what came of the fuzz of the API out; status 1 for a violation."""

import argparse
import sys
import time
from collections.abc import Callable
from random import SystemRandom

from tests.fuzz import deliveries, operations
from tests.fuzz.report import Part

#: Of every ten requests so many are deliveries: a request by the description costs ten times as much to make.
_DELIVERIES_OF_TEN = 9


def main() -> int:
    told = _arguments()
    share = told.requests * _DELIVERIES_OF_TEN // 10
    runs: dict[str, Callable[[Part, int], None]] = {
        deliveries.NAME: lambda part, count: deliveries.run(part, range(count)),
        operations.NAME: lambda part, count: operations.run(part, count, each=told.each),
    }
    wanted = {deliveries.NAME: share, operations.NAME: told.requests - share}
    if told.only:
        return _repeated(told.only, seed=told.seed, each=told.each)
    parts = [_run(Part(name, told.seed), runs[name], wanted[name]) for name in runs]
    requests, violations = (
        sum(n) for n in zip(*((p.requests, len(p.violations)) for p in parts), strict=True)
    )
    sys.stdout.write(f"{requests:,} requests, {violations} violations\n")
    return 1 if violations else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--only", metavar="PART:NUMBER", help="repeat one round, as a violation says")
    parser.add_argument("--each", type=int, default=operations.EACH, help="requests to an operation in a row")
    return parser.parse_args()


def _run(part: Part, run: Callable[[Part, int], None], count: int) -> Part:
    began = time.monotonic()
    run(part, count)
    sys.stdout.write("\n".join([*part.lines(), f"  took {time.monotonic() - began:.0f} s\n"]))
    sys.stdout.flush()
    return part


def _repeated(only: str, *, seed: int, each: int) -> int:
    """The round of that number, up to it."""
    name, _, number = only.partition(":")
    part = Part(name, seed)
    if name == operations.NAME:
        operations.run(part, 1, each=each, only=int(number))
    else:
        begin = int(number) - int(number) % deliveries.ROUND
        deliveries.run(part, range(begin, int(number) + 1))
    sys.stdout.write("\n".join([*part.lines(), ""]))
    return 1 if part.violations else 0


if __name__ == "__main__":
    sys.exit(main())
