"""Versioned bundles in, one point a chunk out; candidates near a query vector back."""

from apex_memory.pipeline.stores.qdrant.connection import open_qdrant
from apex_memory.pipeline.stores.qdrant.store import QdrantStore

__all__ = ["QdrantStore", "open_qdrant"]
