"""The application over ports in this process, and one HTTP client a tenant."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import httpx
from fastapi import FastAPI
from tests.unit.api.fakes import (
    ALICE,
    BOB,
    KEYS,
    MemoryDeliveries,
    MemoryForgettings,
    MemoryInbox,
    MemoryKeys,
    RememberingInbox,
)
from tests.unit.retrieval.world import World as Remembered

from apex_memory.api.app import create_app
from apex_memory.api.state import Draining
from apex_memory.bootstrap.memory import Memory, Probe
from apex_memory.bootstrap.sources import sources_with
from apex_memory.pipeline.intake.accounts import bases_with
from apex_memory.pipeline.intake.allowance import Allowances
from apex_memory.pipeline.intake.gateway import Gateway
from apex_memory.pipeline.intake.schemes import scheme_of
from apex_memory.pipeline.parsing.registry import parser_for
from apex_memory.ports import ApiKeys, Forgettings, Inbox, Ledger
from apex_memory.settings import Settings
from apex_memory.testing import MemoryConnections, MemoryEndpoints, MemoryFeeds, MemoryMappings, MemoryStaging

KNOWN_TYPES = ("about:blank", "https://iana.org/assignments/http-problem-types#quota-exceeded")
MAX_RECORD_BYTES = 4096
MAX_DOCUMENT_BYTES = 8192
SETTINGS = Settings(
    postgres_url="postgresql://nowhere/none",
    qdrant_url="http://nowhere",
    neo4j_url="bolt://nowhere",
    redis_url="redis://nowhere/0",
    temporal_address="nowhere:7233",
    temporal_ui_url="http://127.0.0.1:8233/",
    max_record_bytes=MAX_RECORD_BYTES,
    max_document_bytes=MAX_DOCUMENT_BYTES,
)
SHIPMENT: dict[str, Any] = {
    "shipmentId": "SHIP-2025-10-19-002",
    "customerName": "Acme Manufacturing Corp",
    "status": "in_transit",
}


async def answering() -> None:
    """A probe of something that is there."""


@dataclass(frozen=True)
class World:
    """Everything behind the API, to look at and to break, and two tenants in front of it."""

    app: FastAPI
    inbox: MemoryInbox
    staging: MemoryStaging
    remembered: Remembered
    probes: dict[str, Probe]
    draining: Draining
    alice: httpx.AsyncClient
    bob: httpx.AsyncClient
    anonymous: httpx.AsyncClient


@asynccontextmanager
async def opened(
    *, remembering: bool = False, allowances: Allowances | None = None
) -> AsyncGenerator[World, None]:
    remembered, staging, draining = Remembered(), MemoryStaging(), Draining()
    mappings = MemoryMappings()
    source_of = sources_with(mappings)
    inbox = RememberingInbox(remembered, staging, source_of) if remembering else MemoryInbox()
    probes: dict[str, Probe] = dict.fromkeys(("neo4j", "postgres", "qdrant", "redis", "temporal"), answering)
    endpoints = MemoryEndpoints()
    allowances = allowances or Allowances.of(SETTINGS.rate_limit_per_s)
    memory = Memory(
        settings=SETTINGS,
        inbox=cast("Inbox", inbox),
        archive=remembered.archive,
        ledger=cast("Ledger", remembered.archive),
        staging=staging,
        keys=cast("ApiKeys", MemoryKeys()),
        connections=MemoryConnections(),
        bases=bases_with(""),
        feeds=MemoryFeeds(),
        endpoints=endpoints,
        deliveries=MemoryDeliveries(inbox),
        gateway=Gateway(
            endpoints=endpoints,
            inbox=cast("Inbox", inbox),
            source_of=source_of,
            scheme_of=scheme_of,
            allowances=allowances,
        ),
        allowances=allowances,
        forgettings=cast("Forgettings", MemoryForgettings(remembered)),
        retrieval=remembered.retrieval(deadline_s=0.2),
        mappings=mappings,
        source_of=source_of,
        accepts=parser_for,
        probes=probes,
    )

    @asynccontextmanager
    async def given(_: Settings) -> AsyncGenerator[Memory, None]:
        yield memory

    app = create_app(SETTINGS, opened=given, draining=draining)
    async with (
        app.router.lifespan_context(app),
        client_of(app, ALICE) as alice,
        client_of(app, BOB) as bob,
        client_of(app, None) as anonymous,
    ):
        yield World(app, inbox, staging, remembered, probes, draining, alice, bob, anonymous)


def client_of(app: FastAPI, tenant: str | None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {KEYS[tenant]}"} if tenant else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://apex", headers=headers)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of a refusal, with everything that each of them must have."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    document = response.json()
    assert document["status"] == status
    assert document["request_id"] == response.headers["x-request-id"]
    assert document["instance"] == response.request.url.path
    assert document["title"]
    assert document["detail"]
    assert document["type"] in KNOWN_TYPES or document["type"].startswith("urn:apex-memory:problem:")
    assert "Traceback" not in response.text
    return document


def staged(world: World) -> dict[str, bytes]:
    """Everything in the staging area."""
    return world.staging._objects  # pyright: ignore[reportPrivateUsage] - a port that lists is not wanted


def pointers(document: dict[str, Any]) -> list[str]:
    return [error["pointer"] for error in document["errors"]]
