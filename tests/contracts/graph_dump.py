"""A graph and a tenant in, every node and relationship with every property out, in a stable order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from neo4j import AsyncDriver
from neo4j.time import DateTime

from apex_memory.testing import MemoryGraph

# By scan and by either end: whatever lies in the tenant's graph shows, also what no statement of ours would
# find. `tenant_id` of the far end as well: a relationship that leaves the tenant must not go unseen.
_NODES: Final = "MATCH (n {tenant_id: $tenant}) RETURN labels(n) AS labels, properties(n) AS properties"
_RELATIONSHIPS: Final = """
MATCH (a)-[r]->(b) WHERE $tenant IN [a.tenant_id, b.tenant_id, r.tenant_id]
RETURN labels(a) AS start_labels, properties(a) AS start, type(r) AS type, properties(r) AS properties,
       labels(b) AS end_labels, properties(b) AS end
"""


@dataclass(frozen=True)
class Dump:
    """One line a node and one a relationship, ends included: compared with ==, read when it fails."""

    nodes: tuple[str, ...]
    relationships: tuple[str, ...]

    @staticmethod
    def of(nodes: Iterable[str], relationships: Iterable[str]) -> "Dump":
        return Dump(nodes=tuple(sorted(nodes)), relationships=tuple(sorted(relationships)))


def node_line(labels: Iterable[str], properties: Mapping[str, object]) -> str:
    return f"(:{':'.join(sorted(labels))} {_properties(properties)})"


def relationship_line(start: str, type_: str, properties: Mapping[str, object], end: str) -> str:
    return f"{start}-[:{type_} {_properties(properties)}]->{end}"


async def dump_of_neo4j(driver: AsyncDriver, tenant_id: str) -> Dump:
    """Read from the service itself, past every statement of the store."""
    nodes = await driver.execute_query(_NODES, tenant=tenant_id)
    relationships = await driver.execute_query(_RELATIONSHIPS, tenant=tenant_id)
    return Dump.of(
        (node_line(record["labels"], record["properties"]) for record in nodes.records),
        (
            relationship_line(
                node_line(record["start_labels"], record["start"]),
                record["type"],
                record["properties"],
                node_line(record["end_labels"], record["end"]),
            )
            for record in relationships.records
        ),
    )


def dump_of_memory(graph: MemoryGraph, tenant_id: str) -> Dump:
    return Dump.of(
        (node_line([node.label], kept) for node, kept in graph.nodes(tenant_id)),
        (
            relationship_line(
                node_line([relationship.start.label], graph.properties_of(relationship.start)),
                relationship.type,
                relationship.properties,
                node_line([relationship.end.label], graph.properties_of(relationship.end)),
            )
            for relationship in graph.relationships(tenant_id)
        ),
    )


def _properties(properties: Mapping[str, object]) -> str:
    return ", ".join(f"{name}: {_value(properties[name])}" for name in sorted(properties))


def _value(value: object) -> str:
    # A moment with its offset, which Neo4j keeps too.
    if isinstance(value, DateTime):
        return value.to_native().isoformat()
    return value.isoformat() if isinstance(value, datetime) else repr(value)
