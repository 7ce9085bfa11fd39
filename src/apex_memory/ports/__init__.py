"""What the core needs from outside, as protocols; every implementation passes its port's contract suite."""

from apex_memory.ports.content import Chunker, Embedder, Extractor, Parser, Source
from apex_memory.ports.forgetting import Forgettings
from apex_memory.ports.hooks import Deliveries, Endpoints, Scheme
from apex_memory.ports.intake import ApiKeys, Inbox, Outbox, StagingArea
from apex_memory.ports.leases import Leases
from apex_memory.ports.ledger import Ledger, Rebuilds, Upkeep
from apex_memory.ports.reading import Archive
from apex_memory.ports.stores import Cache, Canon, GraphSearcher, Projection, Store, VectorSearcher
from apex_memory.ports.workflows import Workflows

__all__ = [
    "ApiKeys",
    "Archive",
    "Cache",
    "Canon",
    "Chunker",
    "Deliveries",
    "Embedder",
    "Endpoints",
    "Extractor",
    "Forgettings",
    "GraphSearcher",
    "Inbox",
    "Leases",
    "Ledger",
    "Outbox",
    "Parser",
    "Projection",
    "Rebuilds",
    "Scheme",
    "Source",
    "StagingArea",
    "Store",
    "Upkeep",
    "VectorSearcher",
    "Workflows",
]
