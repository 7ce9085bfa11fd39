"""Paths: the answers of RFC 9535, within a bounded effort, and nothing of a stranger's regexes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apex_memory.domain.paths import MAX_LOOKS, MAX_PATH, Effort, EffortSpent, PathRejected, Place, parsed

STORE: dict[str, Any] = {
    "name": "Corner shop",
    "weight (kg)": 3,
    "a/b~c": "pointed",
    "books": [
        {"title": "Moby Dick", "price": 8.99, "tags": ["sea", "whale"]},
        {"title": "Ulysses", "price": 22, "isbn": None},
        {"title": "Emma", "price": 7, "signed": True},
    ],
}


def found(path: str, value: Any = STORE, *, looks: int = 10_000) -> list[Any]:
    return [place.value for place in parsed(path).find(Place(value), Effort(looks))]


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("$.name", ["Corner shop"]),
        ("@.name", ["Corner shop"]),
        ("$['weight (kg)']", [3]),
        ("$.books[0].title", ["Moby Dick"]),
        ("$.books[-1].title", ["Emma"]),
        ("$.books[-4]", []),
        ("$.books[3]", []),
        ("$.books[0:2].title", ["Moby Dick", "Ulysses"]),
        ("$.books[::-1].price", [7, 22, 8.99]),
        ("$.books[::0]", []),
        ("$.books[*].title", ["Moby Dick", "Ulysses", "Emma"]),
        ("$.books[0,2]['title','price']", ["Moby Dick", 8.99, "Emma", 7]),
        ("$..title", ["Moby Dick", "Ulysses", "Emma"]),
        ("$..tags[*]", ["sea", "whale"]),
        ("$..[1].title", ["Ulysses"]),
        ("$.books[?@.price<10].title", ["Moby Dick", "Emma"]),
        ("$.books[?@.isbn].title", ["Ulysses"]),
        ("$.books[?!@.isbn && (@.signed==true || @.tags[0]=='sea')].title", ["Moby Dick", "Emma"]),
        ("$.books[?'Emma'==@.title].price", [7]),
        ("$.name.first", []),
        ("$.name[0]", []),
        ("$.nothing.below", []),
    ],
)
def test_a_path_finds_what_the_rfc_says(path: str, values: list[Any]) -> None:
    assert found(path) == values


def test_a_place_knows_its_json_pointer() -> None:
    places = parsed("$..['title','a/b~c']").find(Place(STORE), Effort())

    assert [p.pointer() for p in places] == ["/a~1b~0c", "/books/0/title", "/books/1/title", "/books/2/title"]
    assert parsed("$.order.lines[0]").expected_at(Place({})) == "/order/lines/0"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "name",
            ".name",
            "$.",
            "$ ",
            "$.a ",
            "$[",
            "$[']",
            "$['a'",
            "$.a..",
            "$.books[?]",
            "$.books[01]",
        ),
        *("$.a\x00", "$['\ud800']", "$.a\nb", "$[9007199254740992]", "$.é\u200b"),
        *("$[?match(@.a, 'a*a*a*b')]", "$[?search(@.a, 'x')]", "$[?length(@.a)>3]", "$[?count(@.*)>1]"),
        *(
            "$[?@.a==$.b]",
            "$[?@.a==@.b]",
            "$[?$.a]",
            "$[?@..a]",
            "$[?@.*]",
            "$[?@[?@.a]]",
            "$[?@.a[0:1]=='x']",
        ),
        *("$[?" + "(" * 20 + "@.a" + ")" * 20 + "]", "$[?" + "!" * 20 + "@.a]", "$" + "[*]" * 20),
        "$." + "a" * MAX_PATH,
    ],
)
def test_what_is_no_path_or_would_cost_too_much_is_rejected(path: str) -> None:
    with pytest.raises(PathRejected):
        parsed(path)


@settings(max_examples=300, deadline=None)
@given(text=st.text("$@.*[]?'\"()!&|=<>0123ab:,- \\u", max_size=60).map("$".__add__) | st.text(max_size=60))
def test_any_text_is_a_path_or_rejected(text: str) -> None:
    try:
        path = parsed(text)
    except PathRejected:
        return

    found(text, {"a": [{"b": 1}, "b"], "b": {"a": None}})
    assert path.text == text


@pytest.mark.parametrize("path", ["$..a", "$..*..*..*", "$" + "[*,*,*,*]" * 16, "$..[*]..[?@.a==1]"])
@pytest.mark.parametrize("record", ["flat", "rows", "deep"])
def test_no_path_looks_longer_than_a_record_is_worth(path: str, record: str) -> None:
    deep: Any = "core"
    for _ in range(900):
        deep = [deep, {"a": 1}]
    value = {"flat": [0] * 500_000, "rows": [{"a": [1]}] * 100_000, "deep": deep}[record]

    try:
        places = parsed(path).find(Place(value), Effort())
    except EffortSpent:
        return

    assert len(places) <= MAX_LOOKS


def test_the_effort_is_shared_by_all_paths_of_a_record() -> None:
    effort = Effort(10)
    path, place = parsed("$.books[*].title"), Place(STORE)
    path.find(place, effort)

    with pytest.raises(EffortSpent):
        path.find(place, effort)
