"""Who sends something in, whether it may now out: a bucket of tokens for each, in this process's memory."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from apex_memory.domain.errors import AllowanceSpent

#: Of one kind. A bucket is 200 bytes or so; the one that was longest idle goes first.
MOST_KEYS: Final = 10_000
#: A bucket holds what comes in so many seconds: a page of events at once is no flood.
_BURST_S: Final = 2.0
#: Of what an endpoint may take in, so much may prove itself wrongly: room for a sender with an old secret to
#: be told so, and not for a flood of log lines.
_REFUSED_SHARE: Final = 0.01
_OFF: Final = 1e-6


class Allowance:
    """Of one kind: `per_s` for each key, twice as much at once; 0 is no limit.

    The memory is this process's: n processes behind one address let through n times as much.
    """

    def __init__(
        self,
        policy: str,
        per_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        most_keys: int = MOST_KEYS,
    ) -> None:
        self._policy = policy
        self._per_s = per_s
        self._burst = max(1.0, per_s * _BURST_S)
        self._clock = clock
        self._most_keys = most_keys
        #: What is left of it, and when that was. The longest idle is the first.
        self._buckets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def spend(self, *key: str) -> None:
        """One delivery. `key` begins with the tenant.

        Raises:
            AllowanceSpent: says when there is one again; nothing was spent.
        """
        if not self._per_s:
            return
        now = self._clock()
        left, at = self._buckets.get(key, (self._burst, now))
        left = min(self._burst, left + (now - at) * self._per_s)
        # Sums of times are a little off: who waited as long as it was told to has waited long enough.
        enough = left >= 1.0 - _OFF
        self._buckets[key] = (left - enough, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most_keys:
            self._buckets.popitem(last=False)
        if not enough:
            raise AllowanceSpent(
                self._policy, per_s=self._per_s, burst=self._burst, retry_after_s=(1.0 - left) / self._per_s
            )


@dataclass(frozen=True)
class Allowances:
    """What a tenant may send with its keys, an endpoint may take in, and one may turn away with a reason."""

    tenants: Allowance
    endpoints: Allowance
    refusals: Allowance

    @classmethod
    def of(cls, per_s: float, *, clock: Callable[[], float] = time.monotonic) -> Self:
        return cls(
            tenants=Allowance("tenant", per_s, clock=clock),
            endpoints=Allowance("endpoint", per_s, clock=clock),
            refusals=Allowance("refused", per_s * _REFUSED_SHARE, clock=clock),
        )
