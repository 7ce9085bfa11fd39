"""Pages of the GPS feed in, entries out: every point once, a claim only where a vehicle came elsewhere."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.feeds.fleet import Json, answer, at, mapped, page, places, point, row, sampled

from apex_memory.domain.bundles import Bundle
from apex_memory.domain.errors import RecordRejected, SourceUnavailable
from apex_memory.domain.feeds import FeedEntry, LastKnown
from apex_memory.pipeline.extraction.rules import RuleExtractor
from apex_memory.pipeline.sources.samsara import gps
from apex_memory.pipeline.sources.samsara.gps import GpsFeed

FEED = GpsFeed()


def read(*polls: Sequence[Json]) -> list[list[FeedEntry]]:
    """The entries of each poll, one after the other, as they would be taken in."""
    known: dict[str, LastKnown] = {}
    told: list[list[FeedEntry]] = []
    for rows in polls:
        entries = FEED.entries([page(*rows)], known)
        known |= {e.subject: e.last_known for e in entries if e.subject and e.last_known}
        told.append(list(entries))
    return told


def last(*polls: Sequence[Json]) -> Bundle:
    [entry] = read(*polls)[-1]
    return mapped(entry)


def test_the_points_of_a_vehicle_on_several_pages_are_one_entry_in_their_order() -> None:
    pages = [page(row("7", point(2)), row("8", point(1))), page(row("7", point(1), point(3)))]

    first, second = FEED.entries(pages, {})

    assert FEED.subjects(pages) == ["7", "8"]
    assert (first.subject, first.points, second.subject, second.points) == ("7", 3, "8", 1)
    assert sampled(mapped(first)) == [1, 2, 3]
    assert b"06:00:02" in first.body.partition(b"06:00:01")[0]


def test_an_entry_is_labelled_with_the_external_id_of_its_item() -> None:
    for entry in FEED.entries([page(row("7", point(2), point(1)), row("8", point(1)))], {}):
        assert mapped(entry).external_id == entry.label


def test_the_vehicle_is_called_what_the_last_page_says() -> None:
    pages = [page(row("7", point(1))), page(row("7", point(2), name="Renamed"))]

    [entry] = FEED.entries(pages, {})

    assert mapped(entry).mentions[0].name == "Renamed"


def test_more_points_than_an_entry_may_hold_are_several_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gps, "MAX_POINTS", 4)

    entries = FEED.entries([page(row("7", *(point(n) for n in range(10))))], {})

    bundles = [mapped(entry) for entry in entries]
    assert [entry.points for entry in entries] == [4, 4, 2]
    assert [second for bundle in bundles for second in sampled(bundle)] == list(range(10))
    assert len({entry.label for entry in entries}) == len({entry.dedupe_key for entry in entries}) == 3
    assert [places(bundle) for bundle in bundles] == [[(0, "41.5,-87.6")], [], []]


def test_a_vehicle_that_stays_where_it_was_says_nothing_that_is_read() -> None:
    bundle = last([row("7", point(0, place="Yard"))], [row("7", point(5, 41.6, place="Yard"))])

    assert (bundle.claims, bundle.passages) == ((), ())
    assert sampled(bundle) == [5]
    assert [mention.entity.key for mention in bundle.mentions] == ["7"]
    assert RuleExtractor().enrich(bundle) == bundle


def test_a_name_that_is_an_identifier_is_no_claim_either() -> None:
    rows = ([row("7", point(0), name="TRUCK-6520")], [row("7", point(5), name="TRUCK-6520")])

    bundle = last(*rows)

    assert RuleExtractor().enrich(bundle).claims == ()


def test_a_vehicle_that_came_to_another_place_is_claimed_to_be_there_since_then() -> None:
    bundle = last(
        [row("7", point(0, place="Yard"))],
        [row("7", point(5, place="Yard"), point(6, 41.7, place="I-290 W"), point(7, 41.8, place="I-290 W"))],
    )

    assert places(bundle) == [(6, "41.7,-87.6")]
    assert sampled(bundle) == [5, 6, 7]
    assert "I-290 W" in bundle.passages[0].text


def test_a_late_point_is_sampled_and_changes_nothing() -> None:
    late = [row("7", point(3, 41.9, place="elsewhere"))]
    polls = ([row("7", point(5, place="Yard"))], late, [row("7", point(6, place="Yard"))])

    _, [old], [new] = read(*polls)

    assert (sampled(mapped(old)), mapped(old).claims) == ([3], ())
    assert old.last_known
    assert old.last_known.at == at(5)
    assert mapped(new).claims == ()


def test_a_late_point_beside_a_new_one_is_sampled_only() -> None:
    bundle = last([row("7", point(5))], [row("7", point(3, 42.9), point(6, 42.5))])

    assert sampled(bundle) == [3, 6]
    assert places(bundle) == [(6, "42.5,-87.6")]


def test_the_newest_point_told_again_is_no_new_one() -> None:
    first, again = read([row("7", point(5))], [row("7", point(5))])

    assert len(first) == 1
    assert again == []


def test_the_same_points_have_the_same_key_whatever_was_learnt_since() -> None:
    rows = [row("7", point(1), point(2))]
    [entry] = FEED.entries([page(*rows)], {})
    [again] = FEED.entries([page(*rows)], {"7": LastKnown(at=at(9), place="x")})
    [other] = FEED.entries([page(row("7", point(1), point(2, 41.6)))], {})

    assert entry.dedupe_key == again.dedupe_key
    assert other.dedupe_key != entry.dedupe_key
    assert other.label == entry.label


def test_a_point_that_cannot_be_read_is_quarantined_alone() -> None:
    broken: Json = {"time": "yesterday", "latitude": 41.5, "longitude": -87.6}

    good, bad = FEED.entries([page(row("7", point(1), broken, point(2)))], {})

    assert sampled(mapped(good)) == [1, 2]
    assert (bad.subject, bad.points) == (None, 0)
    with pytest.raises(RecordRejected):
        mapped(bad)


def test_a_row_without_an_id_is_kept_for_whoever_looks() -> None:
    [entry] = FEED.entries([page({"gps": [point(1)]})], {})

    assert (entry.subject, entry.last_known, entry.points) == (None, None, 0)
    with pytest.raises(RecordRejected):
        mapped(entry)


def test_what_is_no_fix_is_no_entry() -> None:
    nowhere: Json = {**point(1, 0), "longitude": 0}
    rows = row("7", nowhere), row("8"), {"id": "9", "gps": None}

    assert FEED.entries([page(*rows)], {}) == ()


def test_what_the_sender_calls_as_we_do_is_not_taken_for_ours() -> None:
    rows = [row("7", point(5), apexLastKnown={"at": at(99).isoformat(), "place": "x"})]

    assert places(last(rows)) == [(5, "41.5,-87.6")]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"data": None, "pagination": {"endCursor": "c"}},
        {"data": []},
        {"data": [], "pagination": {"endCursor": ""}},
        {"data": [], "pagination": {"endCursor": 7}},
        {"data": [], "pagination": {"endCursor": "x" * 5000}},
        {"data": [], "pagination": {"endCursor": "nul\x00"}},
        {"data": [], "pagination": []},
    ],
)
def test_what_is_no_page_may_be_one_later(said: Json) -> None:
    with pytest.raises(SourceUnavailable):
        FEED.page(said)


def test_rows_that_are_none_are_passed_over() -> None:
    odd: list[object] = [None, 7, [], "x", row("7", point(1))]

    assert FEED.page({**answer(), "data": odd}).points == 1


TRACKS = st.lists(
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from(["Yard", "I-290 W", "Dock", None])),
        min_size=1,
        max_size=6,
    ),
    min_size=1,
    max_size=6,
)


@given(TRACKS)
def test_claims_are_the_changes_of_place_in_the_order_in_which_news_came(
    tracks: list[list[tuple[int, str | None]]],
) -> None:
    """However points are spread over polls: each time is sampled, and a claim stands where a change does."""
    polls = [[row("7", *(point(second, place=place) for second, place in track))] for track in tracks]
    newest, where = -1.0, "nowhere yet"
    for entries, track in zip(read(*polls), tracks, strict=True):
        first_said: dict[int, str | None] = {}
        for second, place in track:
            # Of two points of one time the one that says more counts, then the first.
            if second != newest and (second not in first_said or (first_said[second] is None and place)):
                first_said[second] = place
        expected: list[float] = []
        for second in sorted(first_said):
            here = first_said[second] or "41.50,-87.60"
            if second > newest and here != where:
                expected.append(second)
                where = here
        bundles = [mapped(entry) for entry in entries]

        assert [s for bundle in bundles for s in sampled(bundle)] == sorted(first_said)
        assert [since for bundle in bundles for since, _ in places(bundle)] == expected
        assert all(bool(bundle.passages) == bool(places(bundle)) for bundle in bundles)
        newest = max([newest, *first_said])
