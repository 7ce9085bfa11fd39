"""Every Cypher statement, as text: the tenant is a term of each match, each match begins at an index.

(:Entity {tenant_id, entity_id, type, key}) is an identity: it has no property that could change, and no
name. (:Episode {tenant_id, item_id, version}) is one version of one item. All that a version says hangs on
three relationships that carry its tenant, item and version:

    (:Episode)-[:MENTIONS {mention_id, name}]->(:Entity)
    (:Entity)-[:RELATES_TO {claim_id, predicate, fact, valid_from, …}]->(:Entity)
    (:Episode)-[:STATES {claim_id, predicate, value, fact, valid_from, …}]->(:Entity)

The hints are there because the planner goes by statistics: in a graph that is still small it takes a scan for
as cheap, and keeps that plan while the graph grows.

A claim whose object is a plain value is a STATES, of the entity it is about. An entity without any
relationship is said by nobody: the transaction that takes the last one away removes it.
"""

from typing import Final, LiteralString

SCHEMA: Final[tuple[LiteralString, ...]] = (
    """
    CREATE CONSTRAINT entity_identity IF NOT EXISTS
    FOR (e:Entity) REQUIRE (e.tenant_id, e.entity_id) IS UNIQUE
    """,
    """
    CREATE CONSTRAINT episode_identity IF NOT EXISTS
    FOR (p:Episode) REQUIRE (p.tenant_id, p.item_id, p.version) IS UNIQUE
    """,
    """
    CREATE CONSTRAINT relation_identity IF NOT EXISTS
    FOR ()-[r:RELATES_TO]-() REQUIRE (r.tenant_id, r.item_id, r.version, r.claim_id) IS UNIQUE
    """,
    # Not redundant: the constraint's index can only be sought with all four terms.
    """
    CREATE INDEX relation_version IF NOT EXISTS
    FOR ()-[r:RELATES_TO]-() ON (r.tenant_id, r.item_id, r.version)
    """,
)

# Written while the constraints were lost with everything else: by two transactions at once, the same entity
# becomes two nodes. Neither is whole. What was said of them is then torn, and the reconciler writes it again.
DELETE_TWINS: Final[tuple[LiteralString, ...]] = (
    """
    MATCH (e:Entity) WITH e.tenant_id AS tenant, e.entity_id AS id, collect(e) AS twins
    WHERE size(twins) > 1 UNWIND twins AS twin DETACH DELETE twin
    """,
    """
    MATCH (p:Episode) WITH p.tenant_id AS tenant, p.item_id AS item, p.version AS version, collect(p) AS twins
    WHERE size(twins) > 1 UNWIND twins AS twin DETACH DELETE twin
    """,
    """
    MATCH (:Entity)-[r:RELATES_TO]->(:Entity)
    WITH r.tenant_id AS tenant, r.item_id AS item, r.version AS version, r.claim_id AS id, collect(r) AS twins
    WHERE size(twins) > 1 UNWIND twins AS twin DELETE twin
    """,
)

AWAIT_INDEXES: Final = "CALL db.awaitIndexes(60)"

PING: Final = "RETURN 1"

_PARTS: Final = """
CALL (v) {
    MATCH (subject:Entity)-[r:RELATES_TO]->(object:Entity)
    USING INDEX SEEK r:RELATES_TO(tenant_id, item_id, version)
    WHERE r.tenant_id = $tenant AND r.item_id = v.item_id AND r.version = v.version
    RETURN r AS part, [subject.entity_id, object.entity_id] AS said_of
    UNION ALL
    MATCH (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})
    USING INDEX SEEK p:Episode(tenant_id, item_id, version)
    MATCH (p)-[r:MENTIONS|STATES]->(e:Entity)
    RETURN r AS part, [e.entity_id] AS said_of
}
DELETE part
WITH said_of
UNWIND said_of AS entity_id
RETURN DISTINCT entity_id
"""

DELETE_PARTS: Final = "UNWIND $versions AS v" + _PARTS

# Comes first in a write, and locks: of two writers of one version the later one waits, and then replaces.
CLEAR: Final = (
    """
UNWIND $versions AS v
MERGE (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})
SET p.version = p.version
WITH v"""
    + _PARTS
)

DELETE_EPISODES: Final = """
UNWIND $versions AS v
MATCH (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})
USING INDEX SEEK p:Episode(tenant_id, item_id, version)
DELETE p
"""

# The SET changes nothing but locks the node until the commit: of two transactions that each take away one
# of an entity's last relationships, the later one sees that the other is gone. DELETE, never DETACH DELETE:
# a relationship that another writer has just made must fail this transaction, not vanish.
DELETE_ORPHANS: Final = """
UNWIND $entity_ids AS entity_id
MATCH (e:Entity {tenant_id: $tenant, entity_id: entity_id})
USING INDEX SEEK e:Entity(tenant_id, entity_id)
SET e.key = e.key
WITH e
WHERE NOT EXISTS { (e)--() }
DELETE e
"""

# One statement, for each costs a journey there and back.
FILL: Final = """
CALL () {
    UNWIND $entities AS row
    MERGE (e:Entity {tenant_id: $tenant, entity_id: row.entity_id})
    ON CREATE SET e.type = row.type, e.key = row.key
}
CALL () {
    UNWIND $mentions AS row
    MATCH (p:Episode {tenant_id: $tenant, item_id: row.item_id, version: row.version})
    USING INDEX SEEK p:Episode(tenant_id, item_id, version)
    MATCH (e:Entity {tenant_id: $tenant, entity_id: row.entity_id})
    USING INDEX SEEK e:Entity(tenant_id, entity_id)
    CREATE (p)-[:MENTIONS {
        tenant_id: $tenant, item_id: row.item_id, version: row.version,
        mention_id: row.mention_id, name: row.name
    }]->(e)
}
CALL () {
    UNWIND $relations AS row
    MATCH (subject:Entity {tenant_id: $tenant, entity_id: row.subject_id})
    USING INDEX SEEK subject:Entity(tenant_id, entity_id)
    MATCH (object:Entity {tenant_id: $tenant, entity_id: row.object_id})
    USING INDEX SEEK object:Entity(tenant_id, entity_id)
    CREATE (subject)-[:RELATES_TO {
        tenant_id: $tenant, item_id: row.item_id, version: row.version, claim_id: row.claim_id,
        predicate: row.predicate, fact: row.fact, valid_from: row.valid_from, valid_to: row.valid_to,
        confidence: row.confidence
    }]->(object)
}
CALL () {
    UNWIND $statements AS row
    MATCH (p:Episode {tenant_id: $tenant, item_id: row.item_id, version: row.version})
    USING INDEX SEEK p:Episode(tenant_id, item_id, version)
    MATCH (subject:Entity {tenant_id: $tenant, entity_id: row.subject_id})
    USING INDEX SEEK subject:Entity(tenant_id, entity_id)
    CREATE (p)-[:STATES {
        tenant_id: $tenant, item_id: row.item_id, version: row.version, claim_id: row.claim_id,
        predicate: row.predicate, value: row.value, fact: row.fact, valid_from: row.valid_from,
        valid_to: row.valid_to, confidence: row.confidence
    }]->(subject)
}
"""

READ_BACK: Final = """
UNWIND $versions AS v
RETURN v.item_id AS item_id, v.version AS version,
    COUNT {
        MATCH (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})
        USING INDEX SEEK p:Episode(tenant_id, item_id, version)
    } AS episodes,
    COLLECT {
        MATCH (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})-[m:MENTIONS]->(:Entity)
        USING INDEX SEEK p:Episode(tenant_id, item_id, version)
        RETURN m.mention_id
    } + COLLECT {
        MATCH (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})-[s:STATES]->(:Entity)
        USING INDEX SEEK p:Episode(tenant_id, item_id, version)
        RETURN s.claim_id
    } + COLLECT {
        MATCH (:Entity)-[r:RELATES_TO]->(:Entity)
        USING INDEX SEEK r:RELATES_TO(tenant_id, item_id, version)
        WHERE r.tenant_id = $tenant AND r.item_id = v.item_id AND r.version = v.version
        RETURN r.claim_id
    } AS part_ids
"""

# Of an entity only its id: nobody reads type and key here, and writing the version again would not set them.
SAID: Final = """
UNWIND $versions AS v
MATCH (p:Episode {tenant_id: $tenant, item_id: v.item_id, version: v.version})
USING INDEX SEEK p:Episode(tenant_id, item_id, version)
MATCH (p)-[r:MENTIONS|STATES]->(e:Entity)
RETURN v.item_id AS item_id, v.version AS version, properties(r) AS said, e.entity_id AS of, null AS object
UNION ALL
UNWIND $versions AS v
MATCH (subject:Entity)-[r:RELATES_TO]->(object:Entity)
USING INDEX SEEK r:RELATES_TO(tenant_id, item_id, version)
WHERE r.tenant_id = $tenant AND r.item_id = v.item_id AND r.version = v.version
RETURN v.item_id AS item_id, v.version AS version, properties(r) AS said,
       subject.entity_id AS of, object.entity_id AS object
"""

# A write is one transaction that begins with its episode, so no fault of ours leaves a relationship without
# one. Relationships are listed all the same: what a bug, a hand or a restored copy left must be found too.
# MENTIONS and STATES cannot be without their episode.
VERSIONS: Final = """
CALL () {
    MATCH (p:Episode)
    USING INDEX SEEK p:Episode(tenant_id, item_id, version)
    WHERE p.tenant_id = $tenant AND p.item_id >= $item_id AND p.version IS NOT NULL
      AND (p.item_id > $item_id OR p.version > $version)
    RETURN p.item_id AS item_id, p.version AS version
    ORDER BY p.item_id, p.version LIMIT $limit
    UNION ALL
    MATCH (:Entity)-[r:RELATES_TO]->(:Entity)
    USING INDEX SEEK r:RELATES_TO(tenant_id, item_id, version)
    WHERE r.tenant_id = $tenant AND r.item_id >= $item_id AND r.version IS NOT NULL
      AND (r.item_id > $item_id OR r.version > $version)
    RETURN r.item_id AS item_id, r.version AS version
    ORDER BY r.item_id, r.version LIMIT $limit
}
RETURN item_id, version ORDER BY item_id, version LIMIT $limit
"""

VERSIONS_OF: Final = """
UNWIND $item_ids AS item_id
CALL (item_id) {
    MATCH (p:Episode)
    USING INDEX SEEK p:Episode(tenant_id, item_id, version)
    WHERE p.tenant_id = $tenant AND p.item_id = item_id AND p.version IS NOT NULL
    RETURN p.version AS version
    UNION
    MATCH (:Entity)-[r:RELATES_TO]->(:Entity)
    USING INDEX SEEK r:RELATES_TO(tenant_id, item_id, version)
    WHERE r.tenant_id = $tenant AND r.item_id = item_id AND r.version IS NOT NULL
    RETURN r.version AS version
}
RETURN item_id, version
"""

# `share` bounds what is read around one entity. A chain of relationships is read from its newest, so what
# is cut off at a very busy entity is old.
CLAIMS_AROUND: Final = """
UNWIND $entity_ids AS entity_id
MATCH (e:Entity {tenant_id: $tenant, entity_id: entity_id})
USING INDEX SEEK e:Entity(tenant_id, entity_id)
CALL (e) {
    MATCH (e)-[r:RELATES_TO]-(other:Entity)
    WHERE r.tenant_id = $tenant AND NOT other.entity_id IN $walked
    RETURN r.claim_id AS claim_id, r.valid_from AS valid_from, other.entity_id AS other
    LIMIT $share
    UNION ALL
    MATCH (e)<-[s:STATES]-(:Episode)
    WHERE s.tenant_id = $tenant
    RETURN s.claim_id AS claim_id, s.valid_from AS valid_from, null AS other
    LIMIT $share
}
WITH claim_id, valid_from, collect(DISTINCT other) AS others
ORDER BY valid_from DESC, claim_id
LIMIT $limit
RETURN collect(claim_id) AS claim_ids, collect(others) AS others
"""
