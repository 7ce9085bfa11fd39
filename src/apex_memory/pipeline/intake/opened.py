"""An endpoint's id in; what deliveries to it are judged by, as it was a second ago at most, out."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from apex_memory.domain.hooks import Endpoint, OpenedEndpoint
from apex_memory.ports import Endpoints

#: Opening one is half of what a delivery costs. For so long, other processes go on as before a change.
GOOD_FOR_S: Final = 1.0
_MOST: Final = 1_000


class LatelyOpened:
    """The port `Endpoints` over another one. What this process changes itself holds for it at once."""

    def __init__(
        self,
        endpoints: Endpoints,
        *,
        good_for_s: float = GOOD_FOR_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoints = endpoints
        self._good_for_s = good_for_s
        self._clock = clock
        #: Until when each is good, the oldest first. Ids are those of endpoints: guessing fills nothing.
        self._opened: OrderedDict[str, tuple[float, OpenedEndpoint]] = OrderedDict()
        #: How many this process has made: what was asked for before one must not be kept after it.
        self._changes = 0

    async def create(self, tenant_id: str, endpoint: Endpoint, *, secret: str) -> None:
        await self._endpoints.create(tenant_id, endpoint, secret=secret)

    async def opened(self, endpoint_id: str) -> OpenedEndpoint | None:
        now = self._clock()
        until, opened = self._opened.get(endpoint_id, (now, None))
        if opened and now < until:
            return opened
        changes = self._changes
        opened = await self._endpoints.opened(endpoint_id)
        self._opened.pop(endpoint_id, None)
        if opened and changes == self._changes:
            # A second from before it was asked for: who answered slowly tells of the past.
            self._opened[endpoint_id] = now + self._good_for_s, opened
            if len(self._opened) > _MOST:
                self._opened.popitem(last=False)
        return opened

    async def listed(self, tenant_id: str) -> Sequence[Endpoint]:
        return await self._endpoints.listed(tenant_id)

    async def rotate(self, tenant_id: str, endpoint_id: str, *, secret: str, overlap_s: float) -> Endpoint:
        endpoint = await self._endpoints.rotate(tenant_id, endpoint_id, secret=secret, overlap_s=overlap_s)
        self._forget(endpoint_id)
        return endpoint

    async def enable(self, tenant_id: str, endpoint_id: str, *, enabled: bool) -> Endpoint:
        endpoint = await self._endpoints.enable(tenant_id, endpoint_id, enabled=enabled)
        self._forget(endpoint_id)
        return endpoint

    def _forget(self, endpoint_id: str) -> None:
        self._changes += 1
        self._opened.pop(endpoint_id, None)
