"""A JSON value in, the same without rows that are marked deleted and without named keys out."""

from apex_memory.pipeline.sources._passages import MAX_DEPTH
from apex_memory.pipeline.sources._reading import as_array, as_object


def pruned(value: object, *, without: frozenset[str], depth: int = 0) -> object:
    """A row goes by its `"deleted": true` and leaves null, so that pointers to its neighbours stay right.

    What is nested deeper than a passage shows stays as it is.
    """
    if depth > MAX_DEPTH:
        return value
    if fields := as_object(value):
        return {k: pruned(v, without=without, depth=depth + 1) for k, v in fields.items() if k not in without}
    if rows := as_array(value):
        return [None if _is_deleted(row) else pruned(row, without=without, depth=depth + 1) for row in rows]
    return value


def _is_deleted(row: object) -> bool:
    return as_object(row).get("deleted") is True
