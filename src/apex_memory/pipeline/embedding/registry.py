"""Settings in, the one embedder of this process out."""

from pathlib import Path
from typing import TYPE_CHECKING

from apex_memory.pipeline.embedding.local import LocalEmbedder
from apex_memory.pipeline.embedding.model_files import locate_model

if TYPE_CHECKING:
    from apex_memory.pipeline.embedding.openai import OpenAIEmbedder


def make_embedder(
    *,
    openai_api_key: str | None,
    openai_base_url: str,
    openai_model: str,
    openai_dim: int,
    model_dir: Path | None = None,
    threads: int = 2,
) -> "OpenAIEmbedder | LocalEmbedder":
    """OpenAI if there is a key, else the local model.

    Neither ever stands in for the other: their vectors do not mix. LocalEmbedder tells about `threads`.

    Raises:
        DependencyMissing: there is no key, and no local model is installed.
    """
    if openai_api_key:
        # Half a second of imports that only its users pay.
        from apex_memory.pipeline.embedding.openai import OpenAIEmbedder

        return OpenAIEmbedder(
            api_key=openai_api_key, base_url=openai_base_url, model=openai_model, dim=openai_dim
        )
    return LocalEmbedder(locate_model(model_dir), threads=threads)
