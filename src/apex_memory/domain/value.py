"""Fields in, a frozen value out: the base of everything that crosses a boundary."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """Immutable, compared by content, and strict about fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
