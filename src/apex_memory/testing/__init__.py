"""In-memory implementations of the ports, and one that misbehaves on demand, for tests without services."""

from apex_memory.testing.cache import MemoryCache
from apex_memory.testing.canon import MemoryCanon, MemoryRebuilds
from apex_memory.testing.connections import MemoryConnections
from apex_memory.testing.embedding import HashEmbedder
from apex_memory.testing.endpoints import MemoryEndpoints
from apex_memory.testing.faults import Fault, Misbehaving, Plan, always, scripted, seeded
from apex_memory.testing.feeds import MemoryFeeds
from apex_memory.testing.graph import MemoryGraph
from apex_memory.testing.leases import MemoryLeases
from apex_memory.testing.ledger import MemoryLedger
from apex_memory.testing.mappings import MemoryMappings
from apex_memory.testing.search import MemoryVectors
from apex_memory.testing.staging import MemoryStaging
from apex_memory.testing.stores import MemoryStore
from apex_memory.testing.workflows import MemoryWorkflows

__all__ = [
    "Fault",
    "HashEmbedder",
    "MemoryCache",
    "MemoryCanon",
    "MemoryConnections",
    "MemoryEndpoints",
    "MemoryFeeds",
    "MemoryGraph",
    "MemoryLeases",
    "MemoryLedger",
    "MemoryMappings",
    "MemoryRebuilds",
    "MemoryStaging",
    "MemoryStore",
    "MemoryVectors",
    "MemoryWorkflows",
    "Misbehaving",
    "Plan",
    "always",
    "scripted",
    "seeded",
]
