"""A call to a store in, its answer in time or StoreUnavailable out."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from apex_memory.domain.errors import StoreUnavailable

T = TypeVar("T")


class Deadline:
    """The moment by which calls must have answered; made inside a running event loop."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._at = self._loop.time() + seconds

    @property
    def passed(self) -> bool:
        return self._loop.time() >= self._at

    async def keep(self, store: str, call: Awaitable[T]) -> T:
        """The call's answer.

        Raises:
            StoreUnavailable: always under the name `store`, whatever the driver below calls itself, so
                that an answer can say which of our legs is missing.
        """
        try:
            async with asyncio.timeout_at(self._at):
                return await call
        except TimeoutError as exc:
            raise StoreUnavailable(store, f"no answer within {self._seconds:g} s") from exc
        except StoreUnavailable as exc:
            raise StoreUnavailable(store, exc.reason) from exc
