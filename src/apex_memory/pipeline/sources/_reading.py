"""A JSON object and its expected shape in, the filled shape or a RecordRejected with a pointer out."""

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from apex_memory.domain.errors import RecordRejected


class Shape(BaseModel):
    """What a source knows of a JSON object; fields it does not know are kept, see `unread`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def unread(self) -> dict[str, object]:
        """The fields that no shape named, nested as they were sent."""
        rest: dict[str, object] = dict(self.model_extra or {})
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if isinstance(value, Shape):
                rest[field.alias or name] = value.unread()
            elif isinstance(value, list):
                rows = cast("list[object]", value)
                rest[field.alias or name] = [r.unread() if isinstance(r, Shape) else None for r in rows]
        return rest


class CamelShape(Shape):
    """A shape whose fields are spelled `likeThis` in JSON."""

    model_config = ConfigDict(alias_generator=to_camel)


ShapeT = TypeVar("ShapeT", bound=Shape)


def read(shape: type[ShapeT], record: object, *, source: str, at: str = "") -> ShapeT:
    """Fill the shape. `at` is the pointer to where in the record it lies.

    Raises:
        RecordRejected: names the first field at fault and what is expected; quotes no text.
    """
    # Any mapping is an object; pydantic knows only dict.
    data = dict(cast("Mapping[object, object]", record)) if isinstance(record, Mapping) else record
    try:
        return shape.model_validate(data)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_context=False)[0]
        problem = _problem(error["type"], error["msg"], error["input"])
        raise RecordRejected(source, at + _pointer(error["loc"]), problem) from None


def within(value: object, *path: str) -> object:
    """What lies at the path of keys; None if any of them is missing."""
    for key in path:
        value = as_object(value).get(key)
    return value


def as_object(value: object) -> Mapping[str, object]:
    """Empty if it is none."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def as_array(value: object) -> Sequence[object]:
    """Empty if it is none."""
    return cast("list[object]", value) if isinstance(value, list) else []


def _pointer(loc: tuple[int | str, ...]) -> str:
    """RFC 6901, from pydantic's path."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in loc)


def _problem(kind: str, message: str, found: object) -> str:
    if kind == "missing":
        return "required, and missing"
    # pydantic's own words would name our private classes.
    expected = "expected an object" if kind == "model_type" else message[0].lower() + message[1:]
    return f"{expected}; found {described(found)}"


def described(value: object) -> str:
    """The kind of a JSON value; text may be personal, so only its length is told."""
    match value:
        case None:
            return "null"
        case bool() | float():
            return str(value).lower()
        case int():
            return "an integer"
        case str():
            return f"a string of {len(value)} characters"
        case list():
            return "an array"
        case _:
            return "an object"
