"""Endpoints and their senders' secrets in, kept sealed; by an endpoint's id, its tenant and secrets out."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from psycopg.types.json import Jsonb

from apex_memory.database import Database
from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.hooks import Endpoint, HookSecret, OpenedEndpoint
from apex_memory.pipeline.intake.seal import Seal

_COLUMNS: Final = "endpoint_id, source, scheme, rule, label, created_at, disabled_at"

_CREATE: Final = """
INSERT INTO hook_endpoint (tenant_id, endpoint_id, source, scheme, rule, label, created_at)
VALUES (%(tenant_id)s, %(endpoint_id)s, %(source)s, %(scheme)s, %(rule)s, %(label)s, %(created_at)s)
"""

_SHARE: Final = """
INSERT INTO hook_secret (tenant_id, endpoint_id, secret_id, sealed) VALUES (%s, %s, %s, %s)
"""

_OPENED: Final = f"""
SELECT e.tenant_id, {", ".join(f"e.{column}" for column in _COLUMNS.split(", "))},
       array_remove(array_agg(s.secret_id ORDER BY s.created_at DESC, s.secret_id), NULL) AS secret_ids,
       array_remove(array_agg(s.sealed ORDER BY s.created_at DESC, s.secret_id), NULL) AS sealed
FROM hook_endpoint AS e LEFT JOIN hook_secret AS s
  ON s.tenant_id = e.tenant_id AND s.endpoint_id = e.endpoint_id
  AND (s.not_after IS NULL OR s.not_after > now())
WHERE e.endpoint_id = %s
GROUP BY e.tenant_id, e.endpoint_id
"""  # noqa: S608 - a constant of this module

_LISTED: Final = f"SELECT {_COLUMNS} FROM hook_endpoint WHERE tenant_id = %s ORDER BY created_at, endpoint_id"  # noqa: S608 - as above

_ONE: Final = f"SELECT {_COLUMNS} FROM hook_endpoint WHERE tenant_id = %s AND endpoint_id = %s FOR UPDATE"  # noqa: S608 - as above

# What ended earlier ends no later for it.
_EXPIRE: Final = """
UPDATE hook_secret SET not_after = least(not_after, now() + %s * interval '1 second')
WHERE tenant_id = %s AND endpoint_id = %s
"""

_ENABLE: Final = f"""
UPDATE hook_endpoint SET disabled_at = CASE WHEN %s THEN NULL ELSE coalesce(disabled_at, now()) END
WHERE tenant_id = %s AND endpoint_id = %s RETURNING {_COLUMNS}
"""  # noqa: S608 - as above


class PostgresEndpoints:
    """The port `Endpoints` over PostgreSQL."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def create(self, tenant_id: str, endpoint: Endpoint, *, secret: str) -> None:
        sealed = self._seal.sealed(secret)
        rule = Jsonb(endpoint.rule.model_dump()) if endpoint.rule else None
        row = {**endpoint.model_dump(exclude={"rule"}), "tenant_id": tenant_id, "rule": rule}
        async with self._database.transaction() as connection:
            await connection.execute(_CREATE, row)
            await connection.execute(_SHARE, (tenant_id, endpoint.endpoint_id, uuid4(), sealed))

    async def opened(self, endpoint_id: str) -> OpenedEndpoint | None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_OPENED, (endpoint_id,))
            row = await cursor.fetchone()
        if row is None:
            return None
        kept = zip(row["secret_ids"], row["sealed"], strict=True)
        secrets = tuple(HookSecret(secret_id=each, text=self._seal.opened(sealed)) for each, sealed in kept)
        return OpenedEndpoint(tenant_id=row["tenant_id"], endpoint=_endpoint(row), secrets=secrets)

    async def listed(self, tenant_id: str) -> Sequence[Endpoint]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_LISTED, (tenant_id,))
            return [_endpoint(row) async for row in cursor]

    async def rotate(self, tenant_id: str, endpoint_id: str, *, secret: str, overlap_s: float) -> Endpoint:
        sealed = self._seal.sealed(secret)
        async with self._database.transaction() as connection:
            # Locked: of two rotations at once, one is the later.
            cursor = await connection.execute(_ONE, (tenant_id, endpoint_id))
            endpoint = _found(await cursor.fetchone(), endpoint_id)
            await connection.execute(_EXPIRE, (overlap_s, tenant_id, endpoint_id))
            await connection.execute(_SHARE, (tenant_id, endpoint_id, uuid4(), sealed))
        return endpoint

    async def enable(self, tenant_id: str, endpoint_id: str, *, enabled: bool) -> Endpoint:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_ENABLE, (enabled, tenant_id, endpoint_id))
            return _found(await cursor.fetchone(), endpoint_id)


def _found(row: Mapping[str, Any] | None, endpoint_id: str) -> Endpoint:
    if row is None:
        raise ItemNotFound("endpoint", endpoint_id)
    return _endpoint(row)


def _endpoint(row: Mapping[str, Any]) -> Endpoint:
    return Endpoint.model_validate({name: row[name] for name in Endpoint.model_fields})
