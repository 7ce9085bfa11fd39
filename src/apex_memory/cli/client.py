"""A request in, the API's typed answer out; what can pass by itself is waited out, within a patience."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
import orjson
from pydantic import ValidationError

from apex_memory.api.models import (
    ForgettingAccepted,
    ForgettingStatus,
    IngestionAccepted,
    IngestionStatus,
    Problem,
    Readiness,
)
from apex_memory.cli.failures import ApiRefused, ApiUnavailable
from apex_memory.domain.answers import ItemView, Neighbourhood, SearchAnswer
from apex_memory.domain.bundles import EntityRef, ItemKind
from apex_memory.domain.errors import SettingMissing
from apex_memory.settings import apex_home, load_settings

PATIENCE_S: Final = 120.0
#: One question for an ingestion's end: short enough for any proxy on the way.
_WAIT_S: Final = 20.0
_BACK_OFF_S: Final = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0)
_PASSING: Final = frozenset({429, 502, 503, 504})


class ApexClient:
    """One API as one tenant sees it.

    Each call is repeated after connection errors and 429, 502, 503, 504, until `patience_s` is over: then
    ApiUnavailable. Every POST and DELETE carries an Idempotency-Key, so a repetition adds nothing. Any other
    refusal is ApiRefused at once.
    """

    def __init__(self, http: httpx.AsyncClient, *, patience_s: float = PATIENCE_S) -> None:
        self._http = http
        self._patience_s = patience_s

    async def send_record(
        self, source: str, record: Mapping[str, object], *, idempotency_key: str | None = None
    ) -> IngestionAccepted:
        body = orjson.dumps({"source": source, "record": record})
        headers = {"Content-Type": "application/json", **_idempotent(idempotency_key)}
        response = await self.ask("POST", "/v1/records", content=body, headers=headers)
        return IngestionAccepted.model_validate_json(response.content)

    async def send_document(
        self,
        name: str,
        data: bytes,
        *,
        external_id: str | None = None,
        source: str | None = None,
        media_type: str | None = None,
        idempotency_key: str | None = None,
    ) -> IngestionAccepted:
        fields = {"external_id": external_id, "source": source}
        response = await self.ask(
            "POST",
            "/v1/documents",
            files={"file": (name, data, media_type or "application/octet-stream")},
            data={field: value for field, value in fields.items() if value is not None},
            headers=_idempotent(idempotency_key),
        )
        return IngestionAccepted.model_validate_json(response.content)

    async def ingestion(self, ingestion_id: UUID, *, wait_s: float = 0) -> IngestionStatus:
        """As it is; with `wait_s`, as soon as it is done or that time is over."""
        response = await self.ask(
            "GET",
            f"/v1/ingestions/{ingestion_id}",
            params={"wait_s": wait_s},
            timeout=httpx.Timeout(10, read=wait_s + 10),
        )
        return IngestionStatus.model_validate_json(response.content)

    async def settled(self, ingestion_id: UUID, *, timeout_s: float) -> IngestionStatus:
        """As soon as it is done, or as it is when the time is over."""
        deadline = time.monotonic() + timeout_s
        while True:
            remaining = max(0.0, deadline - time.monotonic())
            status = await self.ingestion(ingestion_id, wait_s=min(_WAIT_S, remaining))
            if status.state == "done" or not remaining:
                return status

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        min_seq: int | None = None,
        sources: Sequence[str] = (),
        kinds: Sequence[ItemKind] = (),
        entity: EntityRef | None = None,
    ) -> SearchAnswer:
        body = {
            "query": query,
            "limit": limit,
            "min_seq": min_seq,
            "sources": sources,
            "kinds": kinds,
            "entity": entity.model_dump() if entity else None,
        }
        response = await self.ask("POST", "/v1/search", json=body)
        return SearchAnswer.model_validate_json(response.content)

    async def neighbourhood(self, entity_id: UUID, *, min_seq: int | None = None) -> Neighbourhood:
        params = {} if min_seq is None else {"min_seq": min_seq}
        response = await self.ask("GET", f"/v1/entities/{entity_id}", params=params)
        return Neighbourhood.model_validate_json(response.content)

    async def item(self, item_id: UUID) -> ItemView:
        response = await self.ask("GET", f"/v1/items/{item_id}")
        return ItemView.model_validate_json(response.content)

    async def forget(self, item_id: UUID) -> ForgettingAccepted:
        response = await self.ask("DELETE", f"/v1/items/{item_id}", headers=_idempotent(None))
        return ForgettingAccepted.model_validate_json(response.content)

    async def forget_named(self, source: str, external_id: str) -> ForgettingAccepted:
        name = {"source": source, "external_id": external_id}
        response = await self.ask("DELETE", "/v1/items", params=name, headers=_idempotent(None))
        return ForgettingAccepted.model_validate_json(response.content)

    async def forgetting(self, forget_id: UUID) -> ForgettingStatus:
        response = await self.ask("GET", f"/v1/forgettings/{forget_id}")
        return ForgettingStatus.model_validate_json(response.content)

    async def alive(self) -> None:
        """Asked once. Raises ApiUnavailable."""
        await self.once("GET", "/livez")

    async def readiness(self) -> Readiness:
        """Asked once. Raises ApiUnavailable, which names what is down."""
        return Readiness.model_validate_json((await self.once("GET", "/readyz")).content)

    async def once(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """What must not be repeated, or need not. Raises ApiUnavailable."""
        try:
            return await self._once(method, path, **request)
        except _Passing as exc:
            raise ApiUnavailable(self.url, exc.reason) from exc

    @property
    def url(self) -> str:
        return str(self._http.base_url).rstrip("/")

    async def ask(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        """Repeated until `patience_s` is over. Raises ApiUnavailable."""
        deadline = time.monotonic() + self._patience_s
        pauses = chain(_BACK_OFF_S, repeat(_BACK_OFF_S[-1]))
        while True:
            try:
                return await self._once(method, path, **request)
            except _Passing as exc:
                pause_s = max(next(pauses), exc.retry_after_s)
                if time.monotonic() + pause_s >= deadline:
                    raise ApiUnavailable(self.url, exc.reason) from exc
                await asyncio.sleep(pause_s)

    async def _once(self, method: str, path: str, **request: Any) -> httpx.Response:  # noqa: ANN401 - httpx's own
        try:
            response = await self._http.request(method, path, **request)
        except httpx.TransportError as exc:
            raise _Passing(str(exc) or type(exc).__name__) from exc
        if response.is_success:
            return response
        refusal = _refusal(response)
        if response.status_code in _PASSING:
            raise _Passing(str(refusal), retry_after_s=_retry_after_s(response)) from refusal
        raise refusal


class _Passing(Exception):
    """What may be otherwise in a moment."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        super().__init__(reason)


@asynccontextmanager
async def open_client(*, patience_s: float = PATIENCE_S) -> AsyncGenerator[ApexClient, None]:
    """A client of the API, and with the key, that the settings name. Raises SettingMissing."""
    settings = load_settings()
    if settings.api_key is None:
        raise SettingMissing(["APEX_API_KEY: field required"], env_file=str(apex_home() / "apex.env"))
    async with httpx.AsyncClient(
        base_url=settings.api_url,
        headers={"Authorization": f"Bearer {settings.api_key.get_secret_value()}"},
        timeout=httpx.Timeout(30, connect=3),
        trust_env=False,  # a proxy in the environment does not know an API on this machine
    ) as http:
        yield ApexClient(http, patience_s=patience_s)


def _idempotent(key: str | None) -> dict[str, str]:
    return {"Idempotency-Key": key or uuid4().hex}


def _refusal(response: httpx.Response) -> ApiRefused:
    """Of a problem document, or of whatever stands between us and the API says."""
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return ApiRefused(response.status_code, response.reason_phrase, response.text[:200])
    errors = [f"{error.pointer or error.parameter}: {error.detail}" for error in problem.errors or ()]
    return ApiRefused(problem.status, problem.title, problem.detail, errors=errors)


def _retry_after_s(response: httpx.Response) -> float:
    given = response.headers.get("retry-after", "")
    return float(given) if given.isdecimal() else 0.0
