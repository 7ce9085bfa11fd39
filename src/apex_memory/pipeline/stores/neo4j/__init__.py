"""Versioned bundles in, a graph of claims out: entities are shared, everything said of them has a version."""

from apex_memory.pipeline.stores.neo4j.store import Neo4jStore, open_neo4j

__all__ = ["Neo4jStore", "open_neo4j"]
