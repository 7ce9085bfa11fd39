"""Nothing in, an application that holds something of everything out, and what its things are called."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any, cast
from uuid import UUID

import httpx
from fastapi import FastAPI
from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from tests.unit.api.fakes import ALICE, BOB, MemoryInbox
from tests.unit.api.world import SETTINGS, SHIPMENT, World, client_of, opened
from tests.unit.retrieval.world import saying

from apex_memory.api.app import create_app
from apex_memory.api.progress import Streams
from apex_memory.bootstrap.memory import Memory
from apex_memory.domain import ids
from apex_memory.domain.bundles import EntityRef
from apex_memory.domain.ledger import Ingestion
from apex_memory.pipeline.intake.allowance import Allowances
from apex_memory.ports import Inbox

AnyCase = Case[Any]
_TRUCK, _DOCK = EntityRef(type="vehicle", key="TRUCK-6520"), EntityRef(type="place", key="door 7")
#: A wait and a stream end with it; what is done by then was done before.
_SOON_S = 0.01


class _SoonInbox(MemoryInbox):
    """Nobody finishes anything here: who waits is told soon."""

    async def settled(self, tenant_id: str, event_id: UUID, *, timeout_s: float) -> Ingestion:
        return await super().settled(tenant_id, event_id, timeout_s=min(timeout_s, _SOON_S))


@dataclass(frozen=True)
class Known:
    """The names that stand in paths, queries and bodies, and values there are of each."""

    values: Mapping[str, Sequence[str]]

    def name(self, case: AnyCase, rng: Random) -> None:
        """Most cases speak of something that is there: a random id says little about what is behind it."""
        parts = {
            ParameterLocation.PATH: case.path_parameters,
            ParameterLocation.QUERY: case.query,
            ParameterLocation.BODY: case.body,
        }
        for location, part in parts.items():
            # What is wrong on purpose stays so.
            if not isinstance(part, dict) or not _is_sound(case, location):
                continue
            named = cast("dict[str, Any]", part)
            for name in [name for name in named if name in self.values and rng.random() < 0.7]:
                named[name] = rng.choice(self.values[name])


def _is_sound(case: AnyCase, location: ParameterLocation) -> bool:
    made = case.meta.components.get(location) if case.meta else None
    return made is None or made.mode.is_positive


@cache
def application() -> FastAPI:
    """One for all: it is the memory behind it that is new in each round."""
    return create_app(SETTINGS)


@asynccontextmanager
async def filled() -> AsyncGenerator[Known, None]:
    """The application over a memory that holds something of everything."""
    async with opened(allowances=Allowances.of(0)) as world:
        memory: Memory = world.app.state.memory
        inbox, state = _SoonInbox(), application().state
        inbox.events, inbox.ingestions = world.inbox.events, world.inbox.ingestions
        state.memory = replace(memory, inbox=cast("Inbox", inbox))
        state.streams = Streams(lifetime_s=5 * _SOON_S, heartbeat_s=2 * _SOON_S, look_s=_SOON_S)
        async with client_of(application(), ALICE) as alice, client_of(application(), BOB) as bob:
            yield Known(await _filled(world, alice, bob))


async def _filled(
    world: World, alice: httpx.AsyncClient, bob: httpx.AsyncClient
) -> Mapping[str, Sequence[str]]:
    for name in ("note-1", "note-2"):
        said = f"TRUCK-6520 waits at door 7, {name}"
        note = saying(name, said, source="turvo", links=((_TRUCK, "waits_at", _DOCK),))
        await world.remembered.remember(ALICE, note)
    ingestions = [
        (await _post(alice, "/v1/records", source="turvo", record={**SHIPMENT, "shipmentId": name}))[
            "ingestion_id"
        ]
        for name in ("SHIP-1", "SHIP-2")
    ]
    await world.inbox.finish(world.inbox.events[UUID(ingestions[0])])
    endpoints = [
        (await _post(client, "/v1/endpoints", source=source, label="a"))["endpoint"]["endpoint_id"]
        for client, source in ((alice, "samsara"), (alice, "turvo"), (bob, "frontapp"))
    ]
    await alice.put("/v1/mappings/own-wms", json={"id": "$.id"})
    items = [str(ids.item_id(ALICE, "turvo", name)) for name in ("note-1", "note-2")]
    return {
        "ingestion_id": ingestions,
        "endpoint_id": endpoints,
        "item_id": items,
        "entity_id": [str(ids.entity_id(ALICE, one.type, one.key)) for one in (_TRUCK, _DOCK)],
        "forget_id": [(await alice.delete(f"/v1/items/{items[1]}")).json()["forget_id"]],
        "source": ("samsara", "turvo", "frontapp", "own-wms"),
        "scheme": ("standard", "samsara", "token", "front_rule", "front_application", "hmac"),
        "name": ("gps",),
        "external_id": ("note-1",),
        "query": ("who waits at door 7?",),
    }


async def _post(client: httpx.AsyncClient, path: str, **said: Any) -> dict[str, Any]:
    return (await client.post(path, json=said)).json()
