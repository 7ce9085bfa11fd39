"""A JSON object in, its fields out one by one, typed; a field that nobody took answers 501."""

from types import TracebackType
from typing import Self, cast

from apex_memory.devstack.vectors.errors import BadRequest, NotSupported


class Fields:
    """Use as a context manager: leaving it refuses every field that was not taken. Null counts as absent."""

    def __init__(self, value: object, *, at: str) -> None:
        if not isinstance(value, dict):
            raise BadRequest(f"{at} must be an object")
        given = cast("dict[str, object]", value)
        self._at = at
        self._left = {name: item for name, item in given.items() if item is not None}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None and self._left:
            raise NotSupported(f"field `{self.path(next(iter(self._left)))}`")

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def path(self, name: str) -> str:
        return f"{self._at}.{name}"

    def names(self) -> tuple[str, ...]:
        """The fields not taken yet."""
        return tuple(self._left)

    def take(self, name: str) -> object | None:
        return self._left.pop(name, None)

    def need(self, name: str) -> object:
        if name not in self._left:
            raise BadRequest(f"{self.path(name)} is missing")
        return self._left.pop(name)

    def text(self, name: str) -> str | None:
        value = self.take(name)
        if value is not None and not isinstance(value, str):
            raise BadRequest(f"{self.path(name)} must be a string")
        return value

    def need_text(self, name: str) -> str:
        value = self.need(name)
        if not isinstance(value, str):
            raise BadRequest(f"{self.path(name)} must be a string")
        return value

    def integer(self, name: str, *, least: int, default: int) -> int:
        value = self.take(name)
        if value is None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise BadRequest(f"{self.path(name)} must be an integer of at least {least}")
        return value

    def number(self, name: str) -> float | None:
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise BadRequest(f"{self.path(name)} must be a number")
        return float(value)

    def flag(self, name: str) -> bool | None:
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            raise BadRequest(f"{self.path(name)} must be true or false")
        return value

    def items(self, name: str) -> list[object] | None:
        value = self.take(name)
        return None if value is None else as_list(value, at=self.path(name))

    def need_items(self, name: str) -> list[object]:
        return as_list(self.need(name), at=self.path(name))

    def one_or_more(self, name: str) -> list[object] | None:
        """Qdrant takes a lone object where a list is expected."""
        value = self.take(name)
        if value is None:
            return None
        return cast("list[object]", value) if isinstance(value, list) else [value]


def as_list(value: object, *, at: str) -> list[object]:
    if not isinstance(value, list):
        raise BadRequest(f"{at} must be a list")
    return cast("list[object]", value)


def as_texts(values: list[object], *, at: str) -> list[str]:
    if not all(isinstance(value, str) for value in values):
        raise BadRequest(f"{at} must be a list of strings")
    return cast("list[str]", values)
