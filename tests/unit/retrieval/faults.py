"""Ways in which a call to a port can end, to be put in the place of a fake's method."""

import asyncio
from collections.abc import Callable
from typing import Any, Never, TypeVar, cast

from apex_memory.domain.errors import StoreUnavailable

# Any: the type of a coroutine function cannot be spelled before Python 3.13.
Fault = Callable[..., Any]
Call = TypeVar("Call", bound=Callable[..., Any])


async def refused(*_call: object, **_options: object) -> Never:
    """The store says no, under whatever name its driver gives it."""
    raise StoreUnavailable("some driver", "connection refused")


async def unanswered(*_call: object, **_options: object) -> Any:
    """The store takes the call and never comes back."""
    await asyncio.get_running_loop().create_future()


def answered_then(call: Call, happens: Callable[[], object]) -> Call:
    """The call as it was; after the first time, before the caller sees the answer, something happens."""
    pending = [happens]

    async def answer(*args: object, **options: object) -> object:
        found = await call(*args, **options)
        while pending:
            pending.pop()()
        return found

    return cast("Call", answer)
