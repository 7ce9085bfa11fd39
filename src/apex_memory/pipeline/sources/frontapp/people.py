"""Teammates, handles and names in, persons out: by e-mail address or handle, in lower case."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import structlog
from pydantic import BeforeValidator

from apex_memory.domain.bundles import EntityRef, Mention
from apex_memory.pipeline.sources._fields import ReadableName, readable_name
from apex_memory.pipeline.sources._reading import Shape, as_array, within
from apex_memory.pipeline.sources.frontapp.events import SOURCE

#: Of more, as they were sent, the rest is neither read nor shown.
MAX_RECIPIENTS: Final = 256

_log = structlog.get_logger()


def _first(value: object) -> object:
    if value is None:
        return []
    if len(sent := as_array(value)) > MAX_RECIPIENTS:
        _log.warning("record.recipients_cut", source=SOURCE, kept=MAX_RECIPIENTS)
        return sent[:MAX_RECIPIENTS]
    return value


class Recipient(Shape):
    """Who a message is from or to: an e-mail address, a telephone number, a name on some network."""

    handle: ReadableName = None
    name: ReadableName = None
    role: ReadableName = None


Recipients = Annotated[list[Recipient | None], BeforeValidator(_first)]


def teammate(value: object) -> Mention | None:
    """By e-mail address; a preview tells the id only."""
    key = readable_name(within(value, "email")) or readable_name(within(value, "id"))
    if key is None:
        return None
    parts = [readable_name(within(value, field)) for field in ("first_name", "last_name")]
    name = " ".join(part for part in parts if part) or readable_name(within(value, "username"))
    return _person(key, name)


def by_role(recipients: Sequence[Recipient | None], *roles: str) -> Sequence[Mention]:
    """Each person once, in the order in which they were sent; of any role if none is named."""
    return list({person.entity: person for person in _by_role(recipients, roles)}.values())


def _by_role(recipients: Sequence[Recipient | None], roles: Sequence[str]) -> Iterator[Mention]:
    names = {r.handle.lower(): r.name for r in recipients if r and r.handle and r.name}
    for recipient in recipients:
        if recipient and recipient.handle and (not roles or recipient.role in roles):
            yield _person(recipient.handle, names.get(recipient.handle.lower()))


def _person(handle: str, name: str | None) -> Mention:
    key = handle.lower()
    return Mention(entity=EntityRef(type="person", key=key), name=name or key)


def spoken(person: Mention) -> str:
    """Such as "Jürgen Müller <ops@mueller.example>"."""
    key = person.entity.key
    return key if person.name == key else f"{person.name} <{key}>"
