"""The local model's directory, and embedders opened once for all tests of this stage."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.doubles.openai import OpenAIDouble, openai_double

from apex_memory.pipeline.embedding.local import LocalEmbedder
from apex_memory.pipeline.embedding.model_files import locate_model


@pytest.fixture(scope="session")
def model_dir() -> Path:
    return locate_model()


@pytest.fixture(scope="session")
def local(model_dir: Path) -> LocalEmbedder:
    return LocalEmbedder(model_dir, threads=1)


@pytest.fixture
async def double() -> AsyncGenerator[OpenAIDouble, None]:
    async with openai_double() as double:
        yield double
