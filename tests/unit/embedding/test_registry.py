"""Which embedder a process gets."""

from pathlib import Path

from apex_memory.pipeline.embedding.openai import OpenAIEmbedder
from apex_memory.pipeline.embedding.registry import make_embedder


def _made(*, key: str | None, model_dir: Path | None = None) -> str:
    return make_embedder(
        openai_api_key=key,
        openai_base_url="http://127.0.0.1:9/v1",
        openai_model="text-embedding-3-small",
        openai_dim=1536,
        model_dir=model_dir,
    ).id


def test_a_key_means_openai() -> None:
    assert _made(key="sk-test") == "openai:text-embedding-3-small:1536"


def test_no_key_or_an_empty_one_means_the_local_model() -> None:
    assert _made(key=None) == _made(key="") == "local:all-MiniLM-L6-v2:53aa5117:384"


async def test_an_embedder_can_be_closed_whichever_it_is() -> None:
    for key in (None, "sk-test"):
        embedder = make_embedder(
            openai_api_key=key, openai_base_url="http://127.0.0.1:9/v1", openai_model="m", openai_dim=8
        )
        await embedder.aclose()

        assert isinstance(embedder, OpenAIEmbedder) == bool(key)
