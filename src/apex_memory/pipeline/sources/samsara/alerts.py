"""An alert in, of payload 2.0 or 1.0, its bundle out: what happened to whom, and whether it is over."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from apex_memory.domain.bundles import Bundle, Claim, EntityRef, Mention
from apex_memory.pipeline.sources._claims import claim
from apex_memory.pipeline.sources._fields import (
    MAX_NAME,
    Identifier,
    Instant,
    Milliseconds,
    OptionalId,
    OptionalInstant,
    OptionalName,
    OptionalText,
    Rows,
)
from apex_memory.pipeline.sources._passages import passage_of
from apex_memory.pipeline.sources._reading import CamelShape, read, within
from apex_memory.pipeline.sources._wording import spoken_time, stamp
from apex_memory.pipeline.sources.samsara.envelope import SOURCE, Envelope
from apex_memory.pipeline.sources.samsara.things import Scene, names_in, scenes_in, told_of

_NAMELESS: Final = "Alert"


def map_incident(record: Mapping[str, object]) -> Bundle:
    """An item is one incident. Its updates come in any order: an older one never overwrites a newer one.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    envelope = read(Envelope, record, source=SOURCE)
    incident = read(_Incident, envelope.data, source=SOURCE, at="/data")
    which = incident.incident_url or stamp(incident.happened_at_time)
    over = incident.resolved_at_time or incident.updated_at_time if incident.is_over() else None
    return _alert(
        key=f"alert:{incident.configuration_id}:{which}",
        what=incident.what(),
        began=incident.happened_at_time,
        over=over or (envelope.event_time if incident.is_over() else None),
        as_of=incident.updated_at_time or incident.resolved_at_time or envelope.event_time,
        scenes=(*scenes_in(within(envelope.data, "conditions")), *scenes_in(envelope.model_extra)),
        unread={**envelope.unread(), "data": {**incident.unread(), **_as_sent(incident)}},
    )


def map_legacy(record: Mapping[str, object]) -> Bundle:
    """Payload 1.0. What it sends when an alert is resolved names the same condition, device and start.

    Raises:
        RecordRejected: names the field and what is expected there.
    """
    envelope = read(_LegacyEnvelope, record, source=SOURCE)
    event = read(_LegacyEvent, envelope.event, source=SOURCE, at="/event")
    scenes = scenes_in(envelope.event)
    began = event.start_ms or envelope.event_ms
    who = next(_whom(scenes), envelope.event_id)
    return _alert(
        key=f"alert:{event.alert_condition_id or event.alert_condition_description}:{who}@{stamp(began)}",
        what=event.summary or event.alert_condition_description or "",
        began=began,
        over=envelope.event_ms if event.resolved else None,
        as_of=envelope.event_ms,
        scenes=scenes,
        unread={**envelope.unread(), "event": event.unread(), "eventMs": record["eventMs"]},
        details=event.details,
    )


class _Condition(CamelShape):
    """Its `details` are of any kind: they stay unread, and name who is concerned."""

    description: OptionalName = None


class _Incident(CamelShape):
    configuration_id: Identifier
    happened_at_time: Instant
    updated_at_time: OptionalInstant = None
    resolved_at_time: OptionalInstant = None
    incident_url: OptionalName = None
    is_resolved: Annotated[bool | None, Field(strict=True)] = None
    conditions: Rows[_Condition] = Field(default_factory=list[_Condition | None])

    def what(self) -> str:
        told = dict.fromkeys(c.description for c in self.conditions if c and c.description)
        return ", ".join(told)[:MAX_NAME]

    def is_over(self) -> bool:
        return self.resolved_at_time is not None if self.is_resolved is None else self.is_resolved


class _LegacyEnvelope(CamelShape):
    event_id: Identifier
    event_ms: Milliseconds
    event_type: Identifier
    org_id: object = None
    webhook_id: object = None
    event: object = None


class _LegacyEvent(CamelShape):
    alert_condition_id: OptionalId = None
    alert_condition_description: OptionalName = None
    summary: OptionalName = None
    details: OptionalText = None
    start_ms: Milliseconds | None = None
    resolved: Annotated[bool | None, Field(strict=True)] = None
    org_id: object = None


def _as_sent(incident: _Incident) -> Mapping[str, object]:
    """A time is content: the same state at a later time must outlive what was true in between."""
    return {"updatedAtTime": stamp(incident.updated_at_time)} if incident.updated_at_time else {}


def _whom(scenes: Sequence[Scene]) -> Iterator[str]:
    yield from (vehicle.itself.entity.key for scene in scenes for vehicle in scene.vehicles)
    yield from (scene.driver.entity.key for scene in scenes if scene.driver)


def _alert(
    *,
    key: str,
    what: str,
    began: datetime,
    over: datetime | None,
    as_of: datetime,
    scenes: Sequence[Scene],
    unread: Mapping[str, object],
    details: str | None = None,
) -> Bundle:
    itself = Mention(entity=EntityRef(type="alert", key=key), name=what or _NAMELESS)
    told = told_of(itself, scenes, at=began)
    text = _sentence(what or _NAMELESS, names_in(scenes), began, over)
    return Bundle(
        source=SOURCE,
        external_id=key,
        kind="record",
        title=f"Alert: {what}" if what else _NAMELESS,
        as_of=as_of,
        passages=(passage_of(f"{text}\n{details}" if details else text, unread, source=SOURCE),),
        mentions=told.mentions,
        claims=(*_statuses(itself, began, over), *told.claims),
    )


def _sentence(what: str, names: str, began: datetime, over: datetime | None) -> str:
    end = f"resolved on {spoken_time(over)}" if over else "not resolved"
    return f"Alert on {spoken_time(began)}: {what}{f', {names}' if names else ''}; {end}."


def _statuses(alert: Mention, began: datetime, over: datetime | None) -> Iterator[Claim]:
    yield claim(alert, "has_status", "open", "is open", since=began, until=over)
    if over:
        yield claim(alert, "has_status", "resolved", "is resolved", since=over)
