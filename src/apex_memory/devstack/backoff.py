"""A failure count in, the pause before the next start out: exponential, capped, jittered."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backoff:
    """Seconds. `jitter` is the share of a pause left to chance, so that services do not start in step."""

    first_s: float = 0.2
    factor: float = 2.0
    cap_s: float = 15.0
    jitter: float = 0.25
    chance: random.Random = field(default_factory=random.Random)

    def pauses(self) -> Iterator[float]:
        """Endless."""
        pause = self.first_s
        while True:
            yield pause * (1 - self.jitter * self.chance.random())
            pause = min(self.cap_s, pause * self.factor)
