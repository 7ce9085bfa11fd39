"""A tenant and the name of some work in, whether it is ours to do out."""

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class Leases(Protocol):
    """Saves doing the same work twice at once. No fence: what must not happen twice, PostgreSQL refuses.

    A lease may be lost at any time, and lapses after `ttl_s` though the work goes on.
    """

    name: str

    def hold(self, tenant_id: str, name: str, *, ttl_s: float) -> AbstractAsyncContextManager[bool]:
        """For the length of the body. True: ours, or nobody can say. False: another holds it, leave the work.

        An outage raises nothing. A name has one `ttl_s`, whoever asks: what would outlast it is no lease.
        """
        ...
