"""Tenants' credentials for sources' own APIs in, kept sealed; opened by tenant and source out."""

from collections.abc import Sequence
from typing import Final, LiteralString

from pydantic import ConfigDict, TypeAdapter

from apex_memory.database import Database
from apex_memory.domain.connections import Connection, Credentials, OpenedConnection
from apex_memory.domain.errors import ItemNotFound
from apex_memory.pipeline.intake.seal import Seal

_COLUMNS: Final[LiteralString] = "source, base_url, created_at, updated_at"

_PUT: Final = f"""
INSERT INTO connection (tenant_id, source, base_url, sealed) VALUES (%s, %s, %s, %s)
ON CONFLICT (tenant_id, source) DO UPDATE
SET base_url = excluded.base_url, sealed = excluded.sealed, updated_at = now()
RETURNING {_COLUMNS}
"""  # noqa: S608 - a constant of this module

_LISTED: Final = f"SELECT {_COLUMNS} FROM connection WHERE tenant_id = %s ORDER BY source"  # noqa: S608 - as above

_REMOVE: Final = "DELETE FROM connection WHERE tenant_id = %s AND source = %s RETURNING source"

_OPENED: Final = f"SELECT {_COLUMNS}, sealed FROM connection WHERE tenant_id = %s AND source = %s"  # noqa: S608 - as above

# What does not fit any more must not be quoted in a traceback.
_CREDENTIALS: Final[TypeAdapter[Credentials]] = TypeAdapter(
    Credentials, config=ConfigDict(hide_input_in_errors=True)
)


class PostgresConnections:
    """The port `Connections` over PostgreSQL."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    async def put(
        self, tenant_id: str, source: str, *, base_url: str, credentials: Credentials
    ) -> Connection:
        sealed = self._seal.sealed(credentials.model_dump_json())
        async with self._database.connection() as connection:
            cursor = await connection.execute(_PUT, (tenant_id, source, base_url, sealed))
            row = await cursor.fetchone()
        return Connection.model_validate(row)

    async def listed(self, tenant_id: str) -> Sequence[Connection]:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_LISTED, (tenant_id,))
            return [Connection.model_validate(row) async for row in cursor]

    async def remove(self, tenant_id: str, source: str) -> None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_REMOVE, (tenant_id, source))
            if await cursor.fetchone() is None:
                raise ItemNotFound("connection", source)

    async def opened(self, tenant_id: str, source: str) -> OpenedConnection | None:
        async with self._database.connection() as connection:
            cursor = await connection.execute(_OPENED, (tenant_id, source))
            row = await cursor.fetchone()
        if row is None:
            return None
        sealed: bytes = row.pop("sealed")
        return OpenedConnection(
            connection=Connection.model_validate(row),
            credentials=_CREDENTIALS.validate_json(self._seal.opened(sealed)),
        )
