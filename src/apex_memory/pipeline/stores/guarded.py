"""A store in, the same store behind its circuit breakers out."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar, cast

from apex_memory.pipeline.stores.breaker import Breaker, Limits
from apex_memory.ports import Store

#: By kind of call, because a store may search while it cannot write. `ensure` counts as writing: it comes
#: before the first write and after a failed one. What is in neither, such as `ping`, always goes through.
_KINDS: Final = {
    "ensure": "write",
    "prepare": "write",
    "read_back": "write",
    "discard": "write",
    "nearest": "read",
    "claims_around": "read",
}

S = TypeVar("S", bound=Store)


def guarded(store: S, *, read_deadline_s: float, limits: Limits | None = None) -> S:
    """The store, which now answers CircuitOpen at once while it is known to be down."""
    return cast("S", _Guarded(store, limits or Limits(), read_deadline_s))


class _Guarded:
    """Any store: calls of one kind share a breaker, everything else is as it was."""

    def __init__(self, store: Store, limits: Limits, read_deadline_s: float) -> None:
        self._store = store
        # A reader's deadline cancels the call: half of it without an answer counts as an outage.
        reads = replace(limits, patience_s=read_deadline_s / 2)
        self._breakers = {
            "write": Breaker(store.name, "write", limits, probe=store.ping),
            "read": Breaker(store.name, "read", reads),
        }

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - stands for any store
        attribute = getattr(self._store, method)
        kind = _KINDS.get(method)
        return partial(self._call, self._breakers[kind], attribute) if kind else attribute

    async def _call(
        self, breaker: Breaker, call: Callable[..., Awaitable[object]], *args: object, **named: object
    ) -> object:
        return await breaker.call(partial(call, *args, **named))
