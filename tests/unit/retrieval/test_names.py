"""Questions in, the keys that would be looked up out."""

from hypothesis import given
from hypothesis import strategies as st

from apex_memory.domain.ids import entity_key
from apex_memory.pipeline.retrieval.names import MAX_KEYS, candidate_keys


def test_words_that_look_like_keys_come_first() -> None:
    keys = candidate_keys("Did bob@example.com see truck 4412 with SHIP-2025-10-19-002?")

    assert keys[:3] == ("bob@example.com", "4412", "ship-2025-10-19-002")


def test_a_name_of_several_words_is_one_key() -> None:
    keys = candidate_keys("What does Acme Manufacturing Corp owe?")

    assert "acme manufacturing corp" in keys
    assert "acme" in keys


def test_a_capitalised_name_survives_a_long_question() -> None:
    padding = " ".join(f"{word} and so on" for word in ("trailers", "drivers", "gates", "invoices"))

    keys = candidate_keys(f"please tell me about {padding} of Acme Manufacturing Corp in detail today")

    assert "acme manufacturing corp" in keys


def test_punctuation_and_possessives_are_no_part_of_a_name() -> None:
    keys = candidate_keys("(Acme's) \u201cOpenHaul 247\u201d, right?")

    assert {"acme", "openhaul 247", "right"} <= set(keys)


def test_a_question_of_signs_alone_names_nothing() -> None:
    assert candidate_keys("?! \u2026 --") == ()


@given(st.text())
def test_any_text_gives_a_bounded_list_of_distinct_keys_in_their_one_spelling(text: str) -> None:
    keys = candidate_keys(text)

    assert len(keys) <= MAX_KEYS
    assert len(set(keys)) == len(keys)
    assert all(key == entity_key(key) for key in keys)
