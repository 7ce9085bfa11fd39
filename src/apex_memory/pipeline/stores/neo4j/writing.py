"""A transaction and versions in, exactly what their bundles say written or removed; the caller commits."""

from collections.abc import Sequence
from typing import LiteralString

from neo4j import AsyncTransaction

from apex_memory.domain.bundles import VersionedBundle, VersionRef
from apex_memory.pipeline.stores.neo4j import rows, statements
from apex_memory.pipeline.stores.neo4j.rows import Row
from apex_memory.pipeline.stores.neo4j.transactions import EntityVanished


async def replace(tenant_id: str, writes: Sequence[VersionedBundle], transaction: AsyncTransaction) -> None:
    """Whatever the versions held before, they hold exactly these bundles afterwards."""
    versions = rows.version_rows([write.ref for write in writes])
    left = await delete_parts(statements.CLEAR, tenant_id, versions, transaction)
    await fill(tenant_id, writes, transaction)
    await delete_orphans(tenant_id, left, transaction)


async def delete(tenant_id: str, refs: Sequence[VersionRef], transaction: AsyncTransaction) -> None:
    versions = rows.version_rows(refs)
    left = await delete_parts(statements.DELETE_PARTS, tenant_id, versions, transaction)
    await run(statements.DELETE_EPISODES, transaction, tenant=tenant_id, versions=versions)
    await delete_orphans(tenant_id, left, transaction)


async def delete_parts(
    statement: LiteralString, tenant_id: str, versions: Sequence[Row], transaction: AsyncTransaction
) -> Sequence[str]:
    """Delete all that the versions say; returns the entities they said it of, sorted."""
    answer = await transaction.run(statement, tenant=tenant_id, versions=versions)
    return sorted([record["entity_id"] async for record in answer])


async def delete_orphans(tenant_id: str, entity_ids: Sequence[str], transaction: AsyncTransaction) -> None:
    if entity_ids:
        await run(statements.DELETE_ORPHANS, transaction, tenant=tenant_id, entity_ids=entity_ids)


async def fill(tenant_id: str, writes: Sequence[VersionedBundle], transaction: AsyncTransaction) -> None:
    """Raises EntityVanished."""
    mentions, relations = rows.mention_rows(writes), rows.relation_rows(writes)
    said = rows.statement_rows(writes)
    answer = await transaction.run(
        statements.FILL,
        tenant=tenant_id,
        entities=rows.entity_rows(writes),
        mentions=mentions,
        relations=relations,
        statements=said,
    )
    # An entity that another transaction removed since the MERGE matches nothing: its row is lost in silence.
    summary = await answer.consume()
    if summary.counters.relationships_created != len(mentions) + len(relations) + len(said):
        raise EntityVanished


async def run(statement: LiteralString, transaction: AsyncTransaction, **parameters: object) -> None:
    answer = await transaction.run(statement, parameters)
    await answer.consume()
