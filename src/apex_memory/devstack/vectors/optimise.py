"""The directory of a copied shard in, its segments merged and indexed out; runs as a child process.

The engine holds the GIL while it optimises: 40 s for 100,000 points, in which a service could answer nothing.
"""

import ctypes
import os
import signal
import sys
from typing import Final

import qdrant_edge as qe

NOTHING_TO_DO: Final = 3
ORPHANED: Final = 4
_PR_SET_PDEATHSIG: Final = 1
_NICENESS: Final = 10


def main(path: str, parent: int) -> int:
    """`parent`: the process id of the service, without which the result has no taker."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:
        # It died before the line above took effect.
        return ORPHANED
    os.nice(_NICENESS)
    shard = qe.EdgeShard.load(path)
    changed = shard.optimize()
    shard.flush()
    shard.close()
    return 0 if changed else NOTHING_TO_DO


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
