"""Endpoints and their secrets in, the same out by an endpoint's id: Endpoints without a service."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from apex_memory.domain.errors import ItemNotFound
from apex_memory.domain.hooks import Endpoint, HookSecret, OpenedEndpoint


class MemoryEndpoints:
    """Keeps the contract of `ports.Endpoints`, and its secrets as they are."""

    def __init__(self) -> None:
        self._owner: dict[str, str] = {}
        self._endpoints: dict[str, Endpoint] = {}
        self._secrets: dict[str, list[tuple[HookSecret, datetime]]] = {}

    async def create(self, tenant_id: str, endpoint: Endpoint, *, secret: str) -> None:
        self._owner[endpoint.endpoint_id] = tenant_id
        self._endpoints[endpoint.endpoint_id] = endpoint
        self._secrets[endpoint.endpoint_id] = [(_secret(secret), datetime.max.replace(tzinfo=UTC))]

    async def opened(self, endpoint_id: str) -> OpenedEndpoint | None:
        if endpoint_id not in self._endpoints:
            return None
        now = datetime.now(UTC)
        live = tuple(secret for secret, until in self._secrets[endpoint_id] if until > now)
        return OpenedEndpoint(
            tenant_id=self._owner[endpoint_id], endpoint=self._endpoints[endpoint_id], secrets=live
        )

    async def listed(self, tenant_id: str) -> Sequence[Endpoint]:
        return [known for name, known in self._endpoints.items() if self._owner[name] == tenant_id]

    async def rotate(self, tenant_id: str, endpoint_id: str, *, secret: str, overlap_s: float) -> Endpoint:
        endpoint = self._own(tenant_id, endpoint_id)
        ends = datetime.now(UTC) + timedelta(seconds=overlap_s)
        before = [(old, min(until, ends)) for old, until in self._secrets[endpoint_id]]
        self._secrets[endpoint_id] = [(_secret(secret), datetime.max.replace(tzinfo=UTC)), *before]
        return endpoint

    async def enable(self, tenant_id: str, endpoint_id: str, *, enabled: bool) -> Endpoint:
        known = self._own(tenant_id, endpoint_id)
        disabled_at = None if enabled else known.disabled_at or datetime.now(UTC)
        self._endpoints[endpoint_id] = known.model_copy(update={"disabled_at": disabled_at})
        return self._endpoints[endpoint_id]

    def _own(self, tenant_id: str, endpoint_id: str) -> Endpoint:
        if self._owner.get(endpoint_id) != tenant_id:
            raise ItemNotFound("endpoint", endpoint_id)
        return self._endpoints[endpoint_id]


def _secret(text: str) -> HookSecret:
    return HookSecret(secret_id=uuid4(), text=text)
