"""Staging keys, honest and hostile, against the names they become."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apex_memory.pipeline.staging._keys import StagingKeyRejected, object_path, prefix_path

HOSTILE = [
    "",
    "/",
    "a",
    "a/b/c",
    "a/b/c/d/e",
    "/etc/passwd/x/y",
    "a//c/d",
    "a/b/c/",
    "../b/c/d",
    "a/../c/d",
    "a/b/./d",
    "a/b/c/..",
    "a/b/c/d\x00",
    "a/b\\..\\c/c/d",
    "a/b/c/d\n",
    "a/b/c/\ud800",
    "a/b/c/\u202edcba",
    "a/b/c/" + "x" * 256,
]


@pytest.mark.parametrize("key", HOSTILE)
def test_a_malformed_key_is_rejected(key: str) -> None:
    with pytest.raises(StagingKeyRejected):
        object_path(key)


@pytest.mark.parametrize("prefix", ["", "/", "..", "a/..", "a/", "/a", "a/b/c/d/e", "a\x00"])
def test_a_malformed_prefix_is_rejected(prefix: str) -> None:
    with pytest.raises(StagingKeyRejected):
        prefix_path(prefix)


def test_a_rejection_repeats_no_more_than_a_bounded_part_of_the_key() -> None:
    with pytest.raises(StagingKeyRejected) as caught:
        object_path("x" * 10_000)

    assert len(str(caught.value)) < 200


def test_plain_parts_keep_their_names() -> None:
    key = "acme_1/local_upload/5f0d6f2e-6d0c/records.json"

    assert object_path(key) == ("acme_1", "local_upload", "5f0d6f2e-6d0c", "records.json")


def test_a_file_keeps_its_capitals_and_a_folder_does_not() -> None:
    assert object_path("acme/api/Batch/FAILED") == ("acme", "api", "%42atch", "FAILED")


def test_odd_parts_are_quoted() -> None:
    assert object_path("Acme/ü/.hidden/a b.txt") == ("%41cme", "%c3%bc", "%2ehidden", "a%20b%2etxt")


def test_an_odd_part_too_long_to_quote_is_hashed() -> None:
    *_, name = object_path("a/b/c/" + "é" * 200)

    assert name[0] == "~"
    assert len(name) == 65


@given(
    st.lists(
        st.text(st.characters(exclude_characters="/"), max_size=8)
        | st.sampled_from(["a", "A", "%41", "~", "é", "e\u0301"]),
        unique=True,
        max_size=8,
    )
)
def test_different_parts_never_share_a_name(parts: list[str]) -> None:
    names: list[str] = []
    for part in parts:
        try:
            (name,) = prefix_path(part)
        except StagingKeyRejected:
            continue
        names.append(name)

    assert len({name.casefold() for name in names}) == len(names)
    assert all(name.isascii() and "/" not in name and name not in {"", ".", ".."} for name in names)
