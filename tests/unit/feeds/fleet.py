"""Vehicles and their points as Samsara sends them, and an API in this process that sends them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import SourceRefused
from apex_memory.domain.feeds import FeedEntry, FeedPage
from apex_memory.pipeline.sources.registry import source_named
from apex_memory.pipeline.sources.samsara.gps import GpsFeed

Json = dict[str, Any]
START = datetime(2026, 11, 18, 6, 0, tzinfo=UTC)


def at(second: float) -> datetime:
    return START + timedelta(seconds=second)


def point(second: float, latitude: float = 41.5, place: str | None = None) -> Json:
    where = {"reverseGeo": {"formattedLocation": place}} if place else {}
    return {"time": at(second).isoformat(), "latitude": latitude, "longitude": -87.6, **where}


def row(vehicle: str, *points: Json, **more: object) -> Json:
    return {"id": vehicle, "name": f"Truck {vehicle}", "gps": list(points), **more}


def answer(*rows: Json, cursor: str = "c1", more: bool = False) -> Json:
    return {"data": list(rows), "pagination": {"endCursor": cursor, "hasNextPage": more}}


def page(*rows: Json) -> FeedPage:
    return GpsFeed().page(answer(*rows))


def mapped(entry: FeedEntry) -> Bundle:
    return source_named("samsara").map_record(orjson.loads(entry.body), received_at=START)


def sampled(bundle: Bundle) -> list[float]:
    """When each latitude was sampled, in seconds after the start."""
    return [(s.at - START).total_seconds() for s in bundle.samples if s.metric == "latitude"]


def places(bundle: Bundle) -> list[tuple[float, str]]:
    """Each place that is claimed, with the second since when."""
    return [
        ((c.valid_from - START).total_seconds(), c.value or "")
        for c in bundle.claims
        if c.predicate == "located_at" and c.valid_from
    ]


class ScriptedApi:
    """What is said to each cursor, once or again and again; an error is raised, and is over then."""

    def __init__(self, said: Mapping[str | None, Json | Sequence[Exception | Json]]) -> None:
        self._said = {cursor: list(_several(answers)) for cursor, answers in said.items()}
        self.asked: list[tuple[str, str | None]] = []

    async def get(
        self, tenant_id: str, source: str, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, object]:
        assert (source, path) == ("samsara", "/fleet/vehicles/stats/feed")
        assert query
        cursor = query.get("after")
        assert dict(query) == {"types": "gps", **({"after": cursor} if cursor else {})}
        self.asked.append((tenant_id, cursor))
        answers = self._said.get(cursor)
        if answers is None:
            raise SourceRefused(source, 400)
        said = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(said, Exception):
            raise said
        return said


def _several(answers: Json | Sequence[Exception | Json]) -> Sequence[Exception | Json]:
    return [answers] if isinstance(answers, dict) else answers
