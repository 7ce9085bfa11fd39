"""A tenant, a source and a path in, the JSON object that the source's own API answers out."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import httpx

from apex_memory.domain.connections import BearerCredentials, OpenedConnection, TurvoCredentials
from apex_memory.domain.errors import ItemNotFound, NotConnected, SourceRefused, SourceUnavailable
from apex_memory.pipeline.intake.accounts import Bases, no_longer_listed
from apex_memory.pipeline.intake.answers import answer_of
from apex_memory.pipeline.intake.logins import Logins
from apex_memory.ports import Connections

#: One request with its whole answer. Below a worker's grace, so that one which stops ends what it began.
DEADLINE_S: Final = 15.0
_MAX_CONNECTIONS: Final = 32
_UNAUTHORIZED: Final = 401
_PATH: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]{1,256}){1,16}")


class HttpSourceApi:
    """The port `SourceApi` over HTTP. Tries nothing twice, but for a token that Turvo has let go."""

    def __init__(
        self,
        connections: Connections,
        bases: Bases,
        client: httpx.AsyncClient,
        *,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self._connections = connections
        self._bases = bases
        self._client = client
        self._deadline_s = deadline_s
        self._logins = Logins(self._ask)

    async def get(
        self, tenant_id: str, source: str, path: str, query: Mapping[str, str] | None = None
    ) -> Mapping[str, object]:
        """Raises SettingMissing too: no key opens the credentials, or the URL is not listed any more."""
        opened = await self._connections.opened(tenant_id, source)
        if opened is None:
            raise NotConnected(source)
        if opened.connection.base_url not in self._bases.get(source, ()):
            raise no_longer_listed()
        if not _PATH.fullmatch(path):
            raise ItemNotFound(f"{source} resource", path[:100])
        match opened.credentials:
            case BearerCredentials(token=token):
                return await self._get(opened, path, query, {"Authorization": f"Bearer {token}"})
            case TurvoCredentials() as account:
                return await self._get_logged_in(tenant_id, opened, account, path, query)

    async def _get_logged_in(
        self,
        tenant_id: str,
        opened: OpenedConnection,
        account: TurvoCredentials,
        path: str,
        query: Mapping[str, str] | None,
    ) -> Mapping[str, object]:
        base_url = opened.connection.base_url
        token = await self._logins.token(tenant_id, base_url, account)
        try:
            return await self._get(opened, path, query, _as_turvo(token, account))
        except SourceRefused as exc:
            if exc.status != _UNAUTHORIZED:
                raise
        token = await self._logins.token(tenant_id, base_url, account, instead_of=token)
        return await self._get(opened, path, query, _as_turvo(token, account))

    async def _get(
        self,
        opened: OpenedConnection,
        path: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
    ) -> Mapping[str, object]:
        url = f"{opened.connection.base_url}{path}"
        return await self._ask(opened.connection.source, "GET", url, params=query, headers=headers)

    async def _ask(self, source: str, method: str, url: str, **request: Any) -> Mapping[str, object]:  # noqa: ANN401 - httpx's own
        try:
            async with (
                asyncio.timeout(self._deadline_s),
                self._client.stream(method, url, **request) as response,
            ):
                return await answer_of(source, response)
        except TimeoutError:
            raise SourceUnavailable(source, f"no answer within {self._deadline_s:g} s") from None
        except httpx.HTTPError as exc:
            # Its kind only: the words of some quote what was received.
            raise SourceUnavailable(source, type(exc).__name__) from None


@asynccontextmanager
async def open_source_api(connections: Connections, bases: Bases) -> AsyncGenerator[HttpSourceApi, None]:
    """One client for all tenants: it keeps no cookie, follows nobody, and reads no variable or `.netrc`."""
    async with httpx.AsyncClient(
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(DEADLINE_S, connect=5.0),
        limits=httpx.Limits(max_connections=_MAX_CONNECTIONS, keepalive_expiry=15.0),
        headers={"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "apex-memory"},
    ) as client:
        yield HttpSourceApi(connections, bases, client)


def _as_turvo(token: str, account: TurvoCredentials) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}", "x-api-key": account.api_key}
