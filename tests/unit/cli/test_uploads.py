"""Files and folders, against what would be sent from them."""

from pathlib import Path

import pytest

from apex_memory.cli.uploads import DocumentToSend, RecordToSend, found_in
from apex_memory.domain.errors import DocumentRejected


def test_a_folder_gives_its_files_by_the_path_within_it(tmp_path: Path) -> None:
    for name in ("b.md", "a/c.TXT", "a/.hidden.md", ".git/d.md", "picture.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")

    found = list(found_in([tmp_path], source=None))

    assert [thing.name for thing in found] == ["a/c.TXT", "b.md"]


def test_a_file_that_is_named_is_sent_whatever_it_is(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_bytes(b"x")

    assert list(found_in([tmp_path / "picture.png"], source=None)) == [
        DocumentToSend(name="picture.png", path=tmp_path / "picture.png")
    ]


def test_json_gives_the_record_or_the_records_in_it(tmp_path: Path) -> None:
    one, many = tmp_path / "one.json", tmp_path / "many.json"
    one.write_text('{"a": 1}')
    many.write_text('[{"a": 2}, {"a": 3}]')

    assert list(found_in([one, many], source="turvo")) == [
        RecordToSend(name="one.json", source="turvo", record={"a": 1}),
        RecordToSend(name="many.json#1", source="turvo", record={"a": 2}),
        RecordToSend(name="many.json#2", source="turvo", record={"a": 3}),
    ]


@pytest.mark.parametrize("content", ["", "{", "7", "[1]", '"text"', '{"a": NaN}'])
def test_json_that_holds_no_records_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)

    with pytest.raises(DocumentRejected, match=r"a\.json"):
        list(found_in([tmp_path], source="turvo"))


def test_json_without_a_source_is_told_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")

    with pytest.raises(DocumentRejected, match="--source"):
        list(found_in([tmp_path], source=None))
