"""What `apex hooks` asks for in, what the API answers to it, printed, out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote
from uuid import UUID

import typer
from rich.console import Console

from apex_memory.api.hook_models import DeliveryPage, EndpointList, EndpointMade, PingKept, ReplayAccepted
from apex_memory.cli.answers import as_body, table, tell
from apex_memory.cli.client import open_client

_PATH: Final = "/v1/endpoints"


async def create(source: str, label: str, *, scheme: str | None, secret: str | None, as_json: bool) -> None:
    wanted = {"source": source, "label": label, "scheme": scheme, "secret": secret}
    async with open_client() as client:
        # Once: sent again, it would make another one.
        answer = await client.once("POST", _PATH, **as_body(wanted))
    _print_made(EndpointMade.model_validate_json(answer.content), as_json=as_json)


async def rotate(endpoint_id: str, *, secret: str | None, overlap_s: int, as_json: bool) -> None:
    async with open_client() as client:
        wanted = {"secret": secret, "overlap_s": overlap_s}
        answer = await client.once("POST", f"{_of(endpoint_id)}/rotate", **as_body(wanted))
    _print_made(EndpointMade.model_validate_json(answer.content), as_json=as_json)


async def describe(*, as_json: bool) -> None:
    async with open_client() as client:
        known = EndpointList.model_validate_json((await client.ask("GET", _PATH)).content)
    rows = (
        (e.endpoint_id, e.source, e.scheme, e.label, "disabled" if e.disabled_at else "enabled")
        for e in known.endpoints
    )
    tell(known, table(("endpoint", "source", "scheme", "label", ""), rows), as_json=as_json)


async def enable(endpoint_id: str, *, enabled: bool) -> None:
    async with open_client() as client:
        await client.ask("POST", f"{_of(endpoint_id)}/{'enable' if enabled else 'disable'}")
    typer.echo(f"{endpoint_id} is {'enabled' if enabled else 'disabled'}")


async def ping(endpoint_id: str, *, as_json: bool) -> None:
    async with open_client() as client:
        answer = await client.once("POST", f"{_of(endpoint_id)}/ping")
    kept = PingKept.model_validate_json(answer.content)
    tell(kept, f"proven and kept after {kept.took_ms} ms, as event {kept.event_id}", as_json=as_json)


async def deliveries(endpoint_id: str, *, failed: bool, limit: int, as_json: bool) -> None:
    async with open_client() as client:
        params = {"failed": failed, "limit": limit}
        answer = await client.ask("GET", f"{_of(endpoint_id)}/deliveries", params=params)
    page = DeliveryPage.model_validate_json(answer.content)
    rows = (
        (d.received_at, d.label, d.outcome or "under way", d.reason or "", d.event_id)
        for d in page.deliveries
    )
    tell(page, table(("received", "what", "became", "why", "event"), rows), as_json=as_json)


async def replay(
    endpoint_id: str,
    events: Sequence[UUID],
    since: datetime | None,
    until: datetime | None,
    *,
    failed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    wanted = {
        "event_ids": events,
        "since": since and since.replace(tzinfo=UTC),
        "until": until and until.replace(tzinfo=UTC),
        "failed": failed,
        "dry_run": dry_run,
    }
    async with open_client() as client:
        # Once: sent again, it would take them in twice.
        answer = await client.once("POST", f"{_of(endpoint_id)}/replay", **as_body(wanted))
    told = ReplayAccepted.model_validate_json(answer.content)
    said = f"{told.taken} would be taken in again" if dry_run else f"{told.taken} are taken in again"
    tell(told, said, as_json=as_json)


def _of(endpoint_id: str) -> str:
    return f"{_PATH}/{quote(endpoint_id, safe='')}"


def _print_made(made: EndpointMade, *, as_json: bool) -> None:
    rows = (("url", made.url), ("secret", made.secret), ("scheme", made.endpoint.scheme))
    tell(made, table(None, rows), as_json=as_json)
    if not as_json:
        Console(stderr=True).print("[dim]The secret is shown now and never again.[/]")
