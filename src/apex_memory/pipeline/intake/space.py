"""The configured embedder in, its claim on the database out: two vector spaces never mix."""

from typing import Final

from apex_memory.database import Database
from apex_memory.domain.errors import EmbedderMismatch

_CLAIM: Final = """
INSERT INTO embedding_space (embedder_id, dim) VALUES (%s, %s)
ON CONFLICT (only_one) DO UPDATE SET only_one = true RETURNING embedder_id
"""


async def claim_embedding_space(database: Database, *, embedder_id: str, dim: int) -> None:
    """The first embedder owns the database. Raises EmbedderMismatch: another one does."""
    async with database.connection() as connection:
        cursor = await connection.execute(_CLAIM, (embedder_id, dim))
        row = await cursor.fetchone()
    stored = row["embedder_id"] if row else embedder_id
    if stored != embedder_id:
        raise EmbedderMismatch(stored=stored, configured=embedder_id)
