"""Tenants' credentials in, the same out by tenant and source: Connections without a service."""

from collections.abc import Sequence
from datetime import UTC, datetime

from apex_memory.domain.connections import Connection, Credentials, OpenedConnection
from apex_memory.domain.errors import ItemNotFound


class MemoryConnections:
    """Keeps the contract of `ports.Connections`, and its credentials as they are."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], OpenedConnection] = {}

    async def put(
        self, tenant_id: str, source: str, *, base_url: str, credentials: Credentials
    ) -> Connection:
        now, before = datetime.now(UTC), self._opened.get((tenant_id, source))
        made = before.connection.created_at if before else now
        connection = Connection(source=source, base_url=base_url, created_at=made, updated_at=now)
        self._opened[tenant_id, source] = OpenedConnection(connection=connection, credentials=credentials)
        return connection

    async def listed(self, tenant_id: str) -> Sequence[Connection]:
        return [self._opened[key].connection for key in sorted(self._opened) if key[0] == tenant_id]

    async def remove(self, tenant_id: str, source: str) -> None:
        if self._opened.pop((tenant_id, source), None) is None:
            raise ItemNotFound("connection", source)

    async def opened(self, tenant_id: str, source: str) -> OpenedConnection | None:
        return self._opened.get((tenant_id, source))
