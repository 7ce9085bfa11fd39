"""A JSON value in, whether it is nested deeper than is taken from anybody out."""

from typing import Final, cast

#: What writes and reads staged records gives up at 200 levels; vendors nest to ten.
MAX_DEPTH: Final = 64


def too_deep(value: object, *, limit: int = MAX_DEPTH) -> bool:
    """Level by level: a recursion could be driven to its own limit from outside."""
    level = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[object]:
    """The containers in a container."""
    if isinstance(node, dict):
        inner = cast("dict[str, object]", node).values()
    elif isinstance(node, list):
        inner = cast("list[object]", node)
    else:
        return []
    return [child for child in inner if isinstance(child, dict | list)]
