"""The stores at rest in, every difference between them and PostgreSQL's ledger out."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString
from uuid import UUID, uuid4

from temporalio.client import Client
from tests.chaos.campaign.history import History, Operation

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.bootstrap.schedules import SCHEDULED, schedule_id
from apex_memory.database import Database, open_database
from apex_memory.domain.bundles import Manifest, VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepFigures, UpkeepRun
from apex_memory.pipeline.stores.neo4j.store import open_neo4j
from apex_memory.pipeline.stores.qdrant import open_qdrant
from apex_memory.pipeline.stores.registry import open_stores
from apex_memory.ports import Store
from apex_memory.settings import Settings

Version = tuple[str, str, int]

_UNDER_WAY: Final = """
SELECT (SELECT count(*) FROM inbox_event WHERE tenant_id = ANY(%(tenants)s) AND outcome IS NULL) AS unsettled,
       (SELECT count(*) FROM item_version WHERE tenant_id = ANY(%(tenants)s) AND state = 'preparing')
       AS preparing,
       (SELECT count(*) FROM item_version WHERE tenant_id = ANY(%(tenants)s) AND cleanup_pending) AS pending,
       (SELECT count(*) FROM batch WHERE tenant_id = ANY(%(tenants)s) AND closed_at IS NULL) AS open,
       (SELECT count(*) FROM forgetting WHERE tenant_id = ANY(%(tenants)s) AND completed_at IS NULL)
       AS forgetting
"""
_INBOX: Final = """
SELECT e.tenant_id AS tenant, e.event_id::text AS ingestion, e.source || ':' || e.label AS item, e.dedupe_key,
       e.outcome, e.reason, e.version, e.commit_seq, b.workflow_id
FROM inbox_event AS e LEFT JOIN batch AS b ON b.tenant_id = e.tenant_id AND b.batch_id = e.batch_id
WHERE e.tenant_id = ANY(%s)
"""
_LEDGER: Final = """
SELECT v.tenant_id AS tenant, h.source || ':' || h.external_id AS item, v.item_id, v.version, v.state,
       v.event_id::text AS ingestion, v.commit_seq, v.superseded_seq, v.cleanup_pending, v.manifests,
       v.tombstone, v.collected_at, v.superseded_at
FROM item_version AS v JOIN item_head AS h ON h.tenant_id = v.tenant_id AND h.item_id = v.item_id
WHERE v.tenant_id = ANY(%s)
"""
_IN_POSTGRES: Final[LiteralString] = " UNION ".join(
    f"SELECT tenant_id, item_id::text AS item_id, version FROM {table} WHERE tenant_id = ANY(%(tenants)s)"  # noqa: S608 - our constants
    for table in ("chunk", "mention", "claim", "sample")
)
_IN_NEO4J: Final = """
CALL () {
    MATCH (p:Episode) RETURN p.tenant_id AS tenant, p.item_id AS item, p.version AS version
    UNION MATCH ()-[r]->() RETURN r.tenant_id AS tenant, r.item_id AS item, r.version AS version
}
RETURN DISTINCT tenant, item, version
"""
_BARE_ENTITIES: Final = "MATCH (e:Entity) WHERE NOT EXISTS { (e)--() } RETURN count(e) AS n"
_LOOK_S: Final = 0.5
_VERSIONS_AT_ONCE: Final = 500
_POINTS_A_PAGE: Final = 1_000


@dataclass
class Audit:
    """What was found at rest.

    incomplete: committed versions of which a store holds other parts than the manifest says. unknown: those
    in a store that the ledger has never heard of. orphans: parts of aborted versions that nobody is going to
    clean any more, or of collected ones. under_way: what had not ended when patience was over. mended: what
    the reconciler put right.
    """

    settled_s: float = 0.0
    under_way: dict[str, int] = field(default_factory=dict[str, int])
    mended: dict[str, int] = field(default_factory=dict[str, int])
    versions: int = 0
    committed: int = 0
    incomplete: list[str] = field(default_factory=list[str])
    unknown: list[str] = field(default_factory=list[str])
    orphans: list[str] = field(default_factory=list[str])
    bare_entities: int = 0
    outcomes: dict[str, int] = field(default_factory=dict[str, int])

    def clean(self) -> bool:
        return not (self.incomplete or self.unknown or self.orphans or any(self.under_way.values()))


async def rest(
    settings: Settings, tenants: Sequence[str], *, patience_s: float
) -> tuple[float, dict[str, int]]:
    """Wait until all that was accepted, begun or asked for has ended, the reaper's and sweeper's work too.

    Returns how long it took, and how much of what has not ended when patience is over.
    """
    begun = time.monotonic()
    async with open_database(settings.postgres_url, max_size=1) as database:
        while True:
            [under_way] = await _rows(database, _UNDER_WAY, {"tenants": list(tenants)})
            waited_s = time.monotonic() - begun
            if not any(under_way.values()) or waited_s > patience_s:
                return waited_s, under_way
            await asyncio.sleep(_LOOK_S)


async def reconciled(temporal: Client, settings: Settings) -> dict[str, int]:
    """Collect what may be collected, then compare every store and put it right, as an operator would."""
    figures: dict[str, int] = {}
    for name in ("collect", "reconcile"):
        [kind] = [kind for kind in SCHEDULED if kind.name == name]
        told: UpkeepFigures = await temporal.execute_workflow(
            kind.workflow.__name__,
            UpkeepRun(),
            id=f"{schedule_id(kind, settings)}:campaign:{uuid4().hex[:12]}",
            task_queue=Queue.WORKFLOWS.named(settings.queue_prefix),
            result_type=UpkeepFigures,
        )
        figures |= {f"{name} {what}": number for what, number in told.model_dump().items() if number}
    return figures


async def audit(
    settings: Settings, tenants: Sequence[str], *, history: History, ended: Mapping[str, str]
) -> tuple[Audit, set[str]]:
    """Compare, and add what PostgreSQL holds to the history; also the ingestions that the campaign ended."""
    found = Audit()
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings.postgres_url, max_size=2))
        excused = await _keep_inbox(database, tenants, history, ended, found)
        rows = await _rows(database, _LEDGER, (list(tenants),))
        _keep_ledger(rows, history, found)
        embedder = await stack.enter_async_context(open_embedder(settings, database))
        stores = await stack.enter_async_context(open_stores(settings, database, embedder))
        for store in stores.participants():
            await _compare_committed(store, rows, found, grace_s=settings.grace_s)
        held = {
            "postgres": await _in_postgres(database, tenants),
            "qdrant": await _in_qdrant(settings),
            "neo4j": await _in_neo4j(settings, found),
        }
    for store, versions in held.items():
        _compare_held(store, versions, rows, found)
    history.flush()
    return found, excused


async def _keep_inbox(
    database: Database, tenants: Sequence[str], history: History, ended: Mapping[str, str], found: Audit
) -> set[str]:
    excused: set[str] = set()
    outcomes: Counter[str] = Counter()
    for row in await _rows(database, _INBOX, (list(tenants),)):
        outcomes[row["outcome"] or "none"] += 1
        if row["workflow_id"] in ended:
            excused.add(row["ingestion"])
        history.keep(
            _line(
                "inbox",
                row["tenant"],
                item=row["item"],
                request=row["dedupe_key"],
                ingestion=row["ingestion"],
                outcome=row["outcome"] or "",
                version=row["version"] or 0,
                seq=row["commit_seq"] or 0,
                why=row["reason"] or "",
            )
        )
    found.outcomes = dict(outcomes)
    return excused


def _keep_ledger(rows: Sequence[dict[str, Any]], history: History, found: Audit) -> None:
    found.versions = len(rows)
    for row in rows:
        found.committed += row["state"] == "committed"
        history.keep(
            _line(
                "ledger",
                row["tenant"],
                item=row["item"],
                ingestion=row["ingestion"],
                outcome="deleted" if row["tombstone"] else row["state"],
                version=row["version"],
                seq=row["commit_seq"] or 0,
                superseded=row["superseded_seq"] or 0,
            )
        )


async def _compare_committed(
    store: Store, rows: Sequence[dict[str, Any]], found: Audit, *, grace_s: float
) -> None:
    """Every committed version that is not collected or forgotten is complete in every store."""
    by_tenant: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["state"] == "committed" and row["manifests"] and not row["collected_at"]:
            by_tenant[row["tenant"]].append(row)
    for tenant, of_tenant in by_tenant.items():
        for start in range(0, len(of_tenant), _VERSIONS_AT_ONCE):
            some = of_tenant[start : start + _VERSIONS_AT_ONCE]
            refs = {VersionRef(item_id=row["item_id"], version=row["version"]): row for row in some}
            held = await _patiently(store, tenant, list(refs))
            for ref, row in refs.items():
                expected = Manifest.model_validate(row["manifests"][store.name])
                if held[ref] != expected and not _collectable(row, grace_s):
                    told = f"{store.name} holds {held[ref].count} of {expected.count} parts"
                    found.incomplete.append(f"{told} of {row['item']} version {ref.version} of {tenant}")


def _collectable(row: Mapping[str, Any], grace_s: float) -> bool:
    """Whether its time is over by now: the collector, whose schedule goes on, may take it at any moment."""
    since: datetime | None = row["superseded_at"]
    return since is not None and since + timedelta(seconds=grace_s) <= datetime.now(UTC)


async def _patiently(store: Store, tenant: str, refs: list[VersionRef]) -> Mapping[VersionRef, Manifest]:
    """A graph that was started seconds ago plans its first queries for seconds."""
    for _ in range(10):
        try:
            return await store.read_back(tenant, refs)
        except StoreUnavailable:
            await asyncio.sleep(2)
    return await store.read_back(tenant, refs)


def _compare_held(
    store: str, versions: Collection[Version], rows: Sequence[dict[str, Any]], found: Audit
) -> None:
    known = {(row["tenant"], str(row["item_id"]), row["version"]): row for row in rows}
    for version in versions:
        row = known.get(version)
        told = f"{store} holds {version[1]} version {version[2]} of {version[0]}"
        if row is None:
            found.unknown.append(told)
        elif row["collected_at"] or (row["state"] == "aborted" and not row["cleanup_pending"]):
            found.orphans.append(told)


async def _in_postgres(database: Database, tenants: Sequence[str]) -> set[Version]:
    rows = await _rows(database, _IN_POSTGRES, {"tenants": list(tenants)})
    return {(row["tenant_id"], row["item_id"], row["version"]) for row in rows}


async def _in_qdrant(settings: Settings) -> set[Version]:
    client = open_qdrant(settings.qdrant_url)
    held: set[Version] = set()
    for collection in (await client.get_collections()).collections:
        offset = None
        while True:
            page, offset = await client.scroll(
                collection.name, limit=_POINTS_A_PAGE, offset=offset, with_payload=True
            )
            for point in page:
                payload = point.payload or {}
                held.add((payload["tenant_id"], str(UUID(payload["item_id"])), payload["version"]))
            if offset is None:
                break
    await client.close()
    return held


async def _in_neo4j(settings: Settings, found: Audit) -> set[Version]:
    async with open_neo4j(settings.neo4j_url) as driver, driver.session() as session:  # pyright: ignore[reportUnknownMemberType] - untyped options
        answer = await session.run(_IN_NEO4J)
        held = {(record["tenant"], record["item"], record["version"]) async for record in answer}
        bare = await (await session.run(_BARE_ENTITIES)).single(strict=True)
        found.bare_entities = bare["n"]
        return held


async def _rows(database: Database, query: LiteralString, parameters: Any) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        cursor = await connection.execute(query, parameters)
        return await cursor.fetchall()


def _line(op: str, tenant: str, **fields: Any) -> Operation:
    now = time.monotonic_ns()
    return Operation(op=op, proc="audit", tenant=tenant, inv=now, ret=now, out="ok", **fields)
