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
    await run(statements.MERGE_EPISODES, transaction, tenant=tenant_id, versions=versions)
    left = await delete_parts(tenant_id, versions, transaction)
    await run(statements.MERGE_ENTITIES, transaction, tenant=tenant_id, rows=rows.entity_rows(writes))
    await create(statements.CREATE_MENTIONS, rows.mention_rows(writes), tenant_id, transaction)
    await create(statements.CREATE_RELATIONS, rows.relation_rows(writes), tenant_id, transaction)
    await create(statements.CREATE_STATEMENTS, rows.statement_rows(writes), tenant_id, transaction)
    await delete_orphans(tenant_id, left, transaction)


async def delete(tenant_id: str, refs: Sequence[VersionRef], transaction: AsyncTransaction) -> None:
    versions = rows.version_rows(refs)
    left = await delete_parts(tenant_id, versions, transaction)
    await run(statements.DELETE_EPISODES, transaction, tenant=tenant_id, versions=versions)
    await delete_orphans(tenant_id, left, transaction)


async def delete_parts(
    tenant_id: str, versions: Sequence[Row], transaction: AsyncTransaction
) -> Sequence[str]:
    """Delete all that the versions say; returns the entities they said it of, sorted."""
    answer = await transaction.run(statements.DELETE_PARTS, tenant=tenant_id, versions=versions)
    return sorted([record["entity_id"] async for record in answer])


async def delete_orphans(tenant_id: str, entity_ids: Sequence[str], transaction: AsyncTransaction) -> None:
    if entity_ids:
        await run(statements.DELETE_ORPHANS, transaction, tenant=tenant_id, entity_ids=entity_ids)


async def create(
    statement: LiteralString, created: Sequence[Row], tenant_id: str, transaction: AsyncTransaction
) -> None:
    """Raises EntityVanished."""
    if not created:
        return
    answer = await transaction.run(statement, tenant=tenant_id, rows=created)
    # An entity that another transaction removed since the MERGE matches nothing: its row is lost in silence.
    summary = await answer.consume()
    if summary.counters.relationships_created != len(created):
        raise EntityVanished


async def run(statement: LiteralString, transaction: AsyncTransaction, **parameters: object) -> None:
    answer = await transaction.run(statement, parameters)
    await answer.consume()
