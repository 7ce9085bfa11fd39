"""Pages of Samsara's GPS feed in, one entry a vehicle out, with what is known of the vehicle already."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
import structlog
from pydantic import ValidationError

from apex_memory.domain.errors import SourceUnavailable
from apex_memory.domain.feeds import FeedEntry, FeedPage, LastKnown
from apex_memory.pipeline.sources._fields import readable_id
from apex_memory.pipeline.sources._identity import NAMELESS
from apex_memory.pipeline.sources._reading import as_array, as_object, within
from apex_memory.pipeline.sources.samsara.envelope import SOURCE
from apex_memory.pipeline.sources.samsara.feed import MAX_POINTS, Point, in_order, name_of, places_in

MAX_CURSOR: Final = 4_096
#: As `feed.map_vehicle` reads it.
_LAST_KNOWN: Final = "apexLastKnown"

_log = structlog.get_logger()


class GpsFeed:
    """Where vehicles are, since the last time that somebody asked."""

    source = SOURCE
    name = "gps"
    path = "/fleet/vehicles/stats/feed"
    #: The vendor's own: a feed that said it has no more is asked again after so many seconds, not before.
    shortest_interval_s = 5

    def query(self, cursor: str | None) -> Mapping[str, str]:
        """Without a cursor, where every vehicle was last."""
        return {"types": "gps"} if cursor is None else {"types": "gps", "after": cursor}

    def page(self, answer: Mapping[str, object]) -> FeedPage:
        """Raises SourceUnavailable: it is no page of the feed, or names no place to go on from."""
        data, cursor = answer.get("data"), within(answer, "pagination", "endCursor")
        if not isinstance(data, list):
            raise SourceUnavailable(SOURCE, "a page without the array `data`")
        if not (isinstance(cursor, str) and 0 < len(cursor) <= MAX_CURSOR and cursor.isprintable()):
            raise SourceUnavailable(SOURCE, "a page without a readable `pagination.endCursor`")
        rows = tuple(row for row in map(as_object, as_array(answer["data"])) if row)
        return FeedPage(
            rows=rows,
            points=sum(len(_points_of(row)) for row in rows),
            cursor=cursor,
            more=within(answer, "pagination", "hasNextPage") is True,
        )

    def subjects(self, pages: Sequence[FeedPage]) -> Sequence[str]:
        """The vehicles that the pages name, each once."""
        named = (readable_id(row.get("id")) for page in pages for row in page.rows)
        return list(dict.fromkeys(vehicle for vehicle in named if vehicle is not None))

    def entries(self, pages: Sequence[FeedPage], known: Mapping[str, LastKnown]) -> tuple[FeedEntry, ...]:
        """What each vehicle sent, over all pages: an entry, or several if it is more than one may hold.

        A point that cannot be read goes into an entry of its own, so that only this is quarantined.
        """
        tracks: dict[str, _Track] = {}
        entries: list[FeedEntry] = []
        for page in pages:
            for row in page.rows:
                if (vehicle := readable_id(row.get("id"))) is None:
                    entries.append(_unreadable(NAMELESS, row))
                else:
                    tracks.setdefault(vehicle, _Track(vehicle, known.get(vehicle))).add(row)
        for track in tracks.values():
            entries.extend(track.entries())
        return tuple(entries)


@dataclass
class _Track:
    """One vehicle's points in the order in which they were sent, and what else its rows said."""

    vehicle: str
    known: LastKnown | None
    rest: dict[str, object] = field(default_factory=dict[str, object])
    read: list[tuple[object, Point]] = field(default_factory=list[tuple[object, Point]])
    unread: list[object] = field(default_factory=list[object])

    def add(self, row: Mapping[str, object]) -> None:
        self.rest |= {name: value for name, value in row.items() if name != "gps"}
        for sent in _points_of(row):
            try:
                point = Point.model_validate(sent)
            except ValidationError:
                self.unread.append(sent)
                continue
            # The newest one was taken in before: a point is known by its vehicle and its time.
            if not (self.known and point.time == self.known.at):
                self.read.append((sent, point))

    def entries(self) -> Iterator[FeedEntry]:
        known = self.known
        for start in range(0, len(self.read), MAX_POINTS):
            some = self.read[start : start + MAX_POINTS]
            # What is no fix is no position either, and nothing else is said of the vehicle here.
            if points := in_order([point for _, point in some]):
                entry = self._entry([sent for sent, _ in some], points, known)
                known = entry.last_known
                yield entry
        if self.unread:
            _log.warning("feed.points_unread", source=SOURCE, points=len(self.unread))
        for start in range(0, len(self.unread), MAX_POINTS):
            yield _unreadable(self.vehicle, {**self.rest, "gps": self.unread[start : start + MAX_POINTS]})

    def _entry(self, sent: Sequence[object], points: Sequence[Point], known: LastKnown | None) -> FeedEntry:
        told = {name: value for name, value in self.rest.items() if name != _LAST_KNOWN}
        if known:
            told[_LAST_KNOWN] = known.model_dump(mode="json")
        name = name_of(self.vehicle, points)
        return FeedEntry(
            subject=self.vehicle,
            label=name,
            # Not what is known: the same points, sent again, are the same whatever was learnt since.
            dedupe_key=f"{GpsFeed.name}:{name}:{_digest(sent)}",
            body=orjson.dumps({**told, "gps": sent}),
            points=len(points),
            last_known=_known_after(points, known),
        )


def _known_after(points: Sequence[Point], known: LastKnown | None) -> LastKnown:
    """A late point tells of the past: it makes nothing newer."""
    places = places_in(points, known)
    place = places[-1].where_digest() if places else known.place if known else ""
    newest = points[-1].time
    return LastKnown(at=max(newest, known.at) if known else newest, place=place)


def _unreadable(label: str, row: Mapping[str, object]) -> FeedEntry:
    """For the quarantine, where somebody can look at it."""
    return FeedEntry(
        subject=None,
        label=label,
        dedupe_key=f"{GpsFeed.name}:{label}:{_digest(row)}",
        body=orjson.dumps(row),
        points=0,
        last_known=None,
    )


def _points_of(row: Mapping[str, object]) -> Sequence[object]:
    gps = row.get("gps")
    return [gps] if as_object(gps) else as_array(gps)


def _digest(value: Any) -> str:  # noqa: ANN401 - any JSON
    return hashlib.sha256(orjson.dumps(value)).hexdigest()[:32]
