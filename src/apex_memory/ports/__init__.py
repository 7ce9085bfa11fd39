"""What the core needs from outside, as protocols; every implementation passes its port's contract suite."""

from apex_memory.ports.content import Chunker, Embedder, Extractor, Parser, Source
from apex_memory.ports.feeds import Feeds
from apex_memory.ports.forgetting import Forgettings
from apex_memory.ports.hooks import Deliveries, Endpoints, Scheme
from apex_memory.ports.intake import ApiKeys, Inbox, Outbox, StagingArea
from apex_memory.ports.leases import Leases
from apex_memory.ports.ledger import Ledger, Rebuilds, Upkeep
from apex_memory.ports.mappings import Mappings, SourceOf
from apex_memory.ports.reading import Archive
from apex_memory.ports.sources import Connections, SourceApi
from apex_memory.ports.stores import Cache, Canon, GraphSearcher, Projection, Store, VectorSearcher
from apex_memory.ports.workflows import Workflows

__all__ = [
    "ApiKeys",
    "Archive",
    "Cache",
    "Canon",
    "Chunker",
    "Connections",
    "Deliveries",
    "Embedder",
    "Endpoints",
    "Extractor",
    "Feeds",
    "Forgettings",
    "GraphSearcher",
    "Inbox",
    "Leases",
    "Ledger",
    "Mappings",
    "Outbox",
    "Parser",
    "Projection",
    "Rebuilds",
    "Scheme",
    "Source",
    "SourceApi",
    "SourceOf",
    "StagingArea",
    "Store",
    "Upkeep",
    "VectorSearcher",
    "Workflows",
]
