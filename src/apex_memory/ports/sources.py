"""A tenant and what a source's own API is asked for in, its JSON out; and the credentials that this takes."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from apex_memory.domain.connections import Connection, Credentials, OpenedConnection


class Connections(Protocol):
    """The accounts that tenants have at sources, one for each source, with their credentials."""

    async def put(
        self, tenant_id: str, source: str, *, base_url: str, credentials: Credentials
    ) -> Connection:
        """In place of what was there; the time at which it was first made stays.

        Raises:
            SettingMissing: there is no key to seal credentials with.
        """
        ...

    async def listed(self, tenant_id: str) -> Sequence[Connection]:
        """By the source's name."""
        ...

    async def remove(self, tenant_id: str, source: str) -> None:
        """Raises ItemNotFound."""
        ...

    async def opened(self, tenant_id: str, source: str) -> OpenedConnection | None:
        """With its credentials. None: the tenant has given none. Raises SettingMissing."""
        ...


class SourceApi(Protocol):
    """Sources' own APIs, asked with the credentials of the tenant that asks."""

    async def get(
        self, tenant_id: str, source: str, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, object]:
        """One JSON object. `path` starts with a slash and is below the connection's base; never a host.

        Raises:
            NotConnected: the tenant has given no credentials for the source.
            RateLimited: the source said when to come back.
            SourceUnavailable: no answer, or none that is one: a timeout, 5xx, no JSON object.
            SourceRefused: 401, 403 and every other 3xx and 4xx; its `status` says which.
            AnswerTooLarge: more than 8 MiB, or nested deeper than 64 levels.
            ItemNotFound: 404 or 410.
        """
        ...
