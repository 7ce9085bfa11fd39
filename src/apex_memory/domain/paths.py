"""The text of a path (RFC 9535) in, the places that it finds in a JSON value out, at a bounded effort."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, cast

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError
from jsonpath_rfc9535.filter_expressions import (
    ComparisonExpression,
    Expression,
    FilterContext,
    FilterExpression,
    FilterExpressionLiteral,
    LogicalExpression,
    PrefixExpression,
    RelativeFilterQuery,
)
from jsonpath_rfc9535.segments import JSONPathRecursiveDescentSegment, JSONPathSegment
from jsonpath_rfc9535.selectors import (
    FilterSelector,
    IndexSelector,
    JSONPathSelector,
    NameSelector,
    SliceSelector,
    WildcardSelector,
)

MAX_PATH: Final = 256
#: Looks that one record is worth, all paths together: some tenths of a second. A megabyte of ordinary JSON
#: has 50,000 places, one of nothing but digits and commas 500,000.
MAX_LOOKS: Final = 250_000
#: A filter of 256 characters takes as long as so many plain looks.
_LOOKS_OF_A_FILTER: Final = 25
#: The library's parser calls itself for each of these.
_MAX_NESTED: Final = 16

_HOLDERS: Final = (dict, list)

Trail = tuple["Trail | None", str | int]


class Place(NamedTuple):
    """A value, and the way to it from the top, its last step first."""

    value: object
    trail: Trail | None = None

    def steps(self) -> Sequence[str | int]:
        """The way to it from the top, its first step first."""
        steps: list[str | int] = []
        trail = self.trail
        while trail is not None:
            before, step = trail
            steps.append(step)
            trail = before
        return steps[::-1]

    def pointer(self) -> str:
        """RFC 6901."""
        return pointer_of(self.steps())


def pointer_of(steps: Sequence[str | int]) -> str:
    """RFC 6901."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


class PathRejected(ValueError):
    """No path, or none that is taken here."""


class EffortSpent(Exception):
    """Paths look at more places than one record is worth."""


class Effort:
    """What is left of the looks at one record; shared by all paths that read it."""

    def __init__(self, looks: int = MAX_LOOKS) -> None:
        self._left = looks

    def spend(self, looks: int) -> None:
        """Raises EffortSpent."""
        self._left -= looks
        if self._left < 0:
            raise EffortSpent


@dataclass(frozen=True)
class Path:
    """`$…` begins at the record, `@…` at the row that is being read.

    Taken are names, indices, slices, wildcards, descendants, and filters that compare one place in each
    candidate with a constant. Functions are not: `match` and `search` would run a stranger's regexes.
    """

    text: str
    of_row: bool
    #: It names one place, whatever the record is.
    singular: bool
    #: The members that it names.
    names: frozenset[str]
    _segments: tuple[JSONPathSegment, ...]

    def find(self, start: Place, effort: Effort) -> Sequence[Place]:
        """The places, in the order of the document; some of them twice if the path says so.

        Raises:
            EffortSpent: it looks at too many.
        """
        found: Sequence[Place] = (start,)
        for segment in self._segments:
            found = list(_step(segment, found, effort))
        return found

    def expected_at(self, start: Place) -> str:
        """The JSON pointer to where a singular path looks, whether or not something is there."""
        trail = start.trail
        for segment in self._segments:
            trail = (trail, _key(segment.selectors[0]))
        return Place(None, trail).pointer()


@lru_cache(maxsize=4_096)
def parsed(text: str) -> Path:
    """Raises PathRejected: says what is wrong, and where."""
    if len(text) > MAX_PATH:
        raise PathRejected(f"longer than {MAX_PATH} characters")
    if text[:1] not in {"$", "@"} or text[-1] == " " or not text.isprintable():
        raise PathRejected("expected a JSONPath (RFC 9535) that begins with $ for the record or @ for a row")
    if text.count("(") + text.count("!") + text.count("[") > _MAX_NESTED:
        raise PathRejected(f"more than {_MAX_NESTED} brackets and negations")
    try:
        query = _ENVIRONMENT.compile("$" + text[1:])
    except JSONPathError as exc:
        raise PathRejected(f"not a JSONPath (RFC 9535) without functions: {exc}") from None
    selectors = [selector for segment in query.segments for selector in segment.selectors]
    for selector in selectors:
        if isinstance(selector, FilterSelector):
            _check(selector.expression)
    return Path(
        text=text,
        of_row=text[0] == "@",
        singular=query.singular_query(),
        names=frozenset(selector.name for selector in selectors if isinstance(selector, NameSelector)),
        _segments=tuple(query.segments),
    )


class _WithoutFunctions(JSONPathEnvironment):
    def setup_function_extensions(self) -> None:
        """None at all."""


_ENVIRONMENT: Final = _WithoutFunctions()


def _check(expression: Expression) -> None:
    """Only what is judged in a step or two: a query that searches, in a filter, costs as much as a loop."""
    match expression:
        case FilterExpression():
            _check(expression.expression)
        case PrefixExpression():
            _check(expression.right)
        case LogicalExpression():
            _check(expression.left)
            _check(expression.right)
        case ComparisonExpression() if isinstance(expression.left, FilterExpressionLiteral):
            _check_operand(expression.right)
        case ComparisonExpression() if isinstance(expression.right, FilterExpressionLiteral):
            _check_operand(expression.left)
        case RelativeFilterQuery():
            _check_operand(expression)
        case _:
            raise PathRejected("a filter compares one place below @ with a constant, such as [?@.kind=='x']")


def _check_operand(operand: Expression) -> None:
    if isinstance(operand, FilterExpressionLiteral):
        return
    if not (isinstance(operand, RelativeFilterQuery) and operand.query.singular_query()):
        raise PathRejected("a filter looks at one place below @: names and indices only")


def _key(selector: JSONPathSelector) -> str | int:
    assert isinstance(selector, NameSelector | IndexSelector)  # noqa: S101 - that is what singular means
    return selector.name if isinstance(selector, NameSelector) else selector.index


def _step(segment: JSONPathSegment, found: Iterable[Place], effort: Effort) -> Iterator[Place]:
    deep = isinstance(segment, JSONPathRecursiveDescentSegment)
    for place in found:
        for holder in _descendants(place, effort) if deep else (place,):
            for selector in segment.selectors:
                yield from _selected(selector, holder, effort)


def _descendants(place: Place, effort: Effort) -> Iterator[Place]:
    """The place, then every object and array in it; not by recursion, for a record may be very deep."""
    waiting = [place]
    while waiting:
        holder = waiting.pop()
        yield holder
        inner = [
            Place(child, (holder.trail, key))
            for key, child in _members(holder.value, effort)
            if isinstance(child, _HOLDERS)
        ]
        waiting += reversed(inner)


def _selected(selector: JSONPathSelector, holder: Place, effort: Effort) -> Iterator[Place]:
    effort.spend(1)
    value = holder.value
    if isinstance(selector, NameSelector):
        if isinstance(value, dict) and selector.name in value:
            members = cast("dict[str, object]", value)
            yield Place(members[selector.name], (holder.trail, selector.name))
    elif isinstance(selector, IndexSelector | SliceSelector):
        if isinstance(value, list):
            items = cast("list[object]", value)
            taken = _taken(selector, len(items))
            effort.spend(len(taken))
            yield from (Place(items[at], (holder.trail, at)) for at in taken)
    elif isinstance(selector, WildcardSelector | FilterSelector):
        for key, child in _members(value, effort):
            if isinstance(selector, WildcardSelector) or _lets_through(selector, child, effort):
                yield Place(child, (holder.trail, key))


def _taken(selector: IndexSelector | SliceSelector, size: int) -> Sequence[int]:
    if isinstance(selector, IndexSelector):
        at = selector.index + size if selector.index < 0 else selector.index
        return (at,) if 0 <= at < size else ()
    return range(size)[selector.slice] if selector.slice.step != 0 else ()


def _lets_through(selector: FilterSelector, candidate: object, effort: Effort) -> bool:
    effort.spend(_LOOKS_OF_A_FILTER)
    context = FilterContext(env=_ENVIRONMENT, current=candidate, root=None)
    return selector.expression.evaluate(context)


def _members(value: object, effort: Effort) -> Iterable[tuple[str | int, object]]:
    if isinstance(value, dict):
        members = cast("dict[str | int, object]", value)
        effort.spend(len(members))
        return members.items()
    if isinstance(value, list):
        items = cast("list[object]", value)
        effort.spend(len(items))
        return enumerate(items)
    return ()
