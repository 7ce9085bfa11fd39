"""In-memory implementations of the ports, and one that misbehaves on demand, for tests without services."""

from apex_memory.testing.cache import MemoryCache
from apex_memory.testing.embedding import HashEmbedder
from apex_memory.testing.faults import Fault, Misbehaving, Plan, always, scripted, seeded
from apex_memory.testing.search import MemoryGraph, MemoryVectors
from apex_memory.testing.staging import MemoryStaging
from apex_memory.testing.stores import MemoryStore

__all__ = [
    "Fault",
    "HashEmbedder",
    "MemoryCache",
    "MemoryGraph",
    "MemoryStaging",
    "MemoryStore",
    "MemoryVectors",
    "Misbehaving",
    "Plan",
    "always",
    "scripted",
    "seeded",
]
