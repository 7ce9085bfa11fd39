"""The ports in, the name of every point at which a call over one can fail out."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

from apex_memory.ports import (
    ApiKeys,
    Archive,
    Canon,
    Connections,
    Deliveries,
    Embedder,
    Endpoints,
    Feeds,
    Forgettings,
    GraphSearcher,
    Inbox,
    Ledger,
    Mappings,
    Outbox,
    Projection,
    Rebuilds,
    SourceApi,
    StagingArea,
    Store,
    Upkeep,
    VectorSearcher,
    Workflows,
)

#: Whose awaitable methods are boundaries, by the first word of their points. Cache and leases
#: have none: for them an outage is no error.
BOUNDARIES: Final[Mapping[str, tuple[type, ...]]] = {
    "inbox": (Inbox,),
    "outbox": (Outbox,),
    "keys": (ApiKeys,),
    "endpoints": (Endpoints,),
    "deliveries": (Deliveries,),
    "mappings": (Mappings,),
    "connections": (Connections,),
    "sources": (SourceApi,),
    "staging": (StagingArea,),
    "embedder": (Embedder,),
    "ledger": (Ledger,),
    "upkeep": (Upkeep,),
    "rebuilds": (Rebuilds,),
    "archive": (Archive,),
    "forgettings": (Forgettings,),
    "feeds": (Feeds,),
    "postgres": (Store, Canon),
    "qdrant": (Store, Projection, VectorSearcher),
    "neo4j": (Store, Projection, GraphSearcher),
    "workflows": (Workflows,),
    "temporal": (),
}
#: Temporal's client is no port of ours; the relay uses one method of it.
_TEMPORAL: Final = ("start_workflow",)
#: What takes several versions, and so can be done for some of them.
_DIVISIBLE: Final = frozenset({"prepare", "discard"})


class Action(StrEnum):
    """What happens at a point."""

    #: The call is not made; StoreUnavailable.
    REFUSE = "refuse"
    #: The call is made and its answer lost; StoreUnavailable.
    LOSE = "lose"
    #: The call is made with half of what it was given; StoreUnavailable.
    PARTLY = "partly"
    #: The call, or its answer, comes later.
    DELAY = "delay"
    #: SIGKILL to this process.
    KILL = "kill"


_AT: Final = {
    "before": frozenset({Action.REFUSE, Action.PARTLY, Action.DELAY, Action.KILL}),
    "after": frozenset({Action.LOSE, Action.DELAY, Action.KILL}),
}


def methods_of(boundary: str) -> Sequence[str]:
    if boundary == "temporal":
        return _TEMPORAL
    return [
        name
        for port in BOUNDARIES[boundary]
        for name, method in vars(port).items()
        if inspect.iscoroutinefunction(method)
    ]


def _points() -> Iterator[str]:
    for boundary in BOUNDARIES:
        for method in methods_of(boundary):
            yield from (f"{boundary}.{method}.{moment}" for moment in _AT)


def possible_at(point: str) -> frozenset[Action]:
    _, method, moment = point.split(".")
    return _AT[moment] if method in _DIVISIBLE else _AT[moment] - {Action.PARTLY}


#: Every `{boundary}.{method}.{before|after}`.
POINTS: Final = tuple(_points())
