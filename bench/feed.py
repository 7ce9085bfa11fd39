"""A running stack in; how long 50,000 points of a GPS feed take to be committed and visible, out.

    export APEX_SOURCE_API_URLS=samsara=http://127.0.0.1:18950
    apex dev up && python bench/feed.py [--vehicles 500] [--points 100] [--page 5000] [--port 18950] [--json]

The feed is this process's own, at a port that the stack's workers were told of when they started. Each run
has a tenant of its own. Vehicles drive north at 60 mph and send a point every 5 seconds, so that about one in
eight is at another place. Committed: every point is a sample that readers may see. Visible: a search finds
the last vehicle.
"""

import argparse
import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import httpx
import orjson
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apex_memory.cli.client import ApexClient
from apex_memory.database import Database, open_database
from apex_memory.domain.connections import BearerCredentials
from apex_memory.pipeline.intake.connections import PostgresConnections
from apex_memory.pipeline.intake.feeds import PostgresFeeds
from apex_memory.pipeline.intake.keys import PostgresApiKeys
from apex_memory.pipeline.intake.seal import seal_of
from apex_memory.settings import Settings, load_settings

_PATIENCE_S: Final = 600
_SAMPLED: Final = """
SELECT count(*) AS points, count(DISTINCT (s.entity_id, s.at)) AS different FROM sample AS s
JOIN item_version AS v USING (tenant_id, item_id, version)
WHERE s.tenant_id = %s AND s.metric = 'latitude' AND v.state = 'committed' AND v.superseded_seq IS NULL
"""
_OPEN: Final = "SELECT count(*) AS events FROM inbox_event WHERE tenant_id = %s AND outcome IS NULL"
_MADE: Final = """
SELECT (SELECT count(*) FROM inbox_event WHERE tenant_id = %(tenant)s) AS entries,
       (SELECT count(*) FROM claim WHERE tenant_id = %(tenant)s) AS claims,
       (SELECT count(*) FROM chunk WHERE tenant_id = %(tenant)s) AS passages,
       (SELECT count(*) FROM batch WHERE tenant_id = %(tenant)s) AS workflows
"""


async def main() -> None:
    options = _options()
    settings = load_settings()
    pages = _pages(options.vehicles, options.points, options.page)
    tenant = f"feed-{uuid4().hex[:8]}"
    async with open_database(settings.postgres_url) as database, _served(pages, options.port) as url:
        async with asyncio.timeout(_PATIENCE_S):
            await _connect(database, settings, tenant, url)
            figures = await _measured(database, settings, tenant, options)
        await PostgresFeeds(database).stop(tenant, "samsara", "gps")
    told = [f"{name:12} {value}" for name, value in figures.items()]
    print(json.dumps(figures) if options.json else "\n".join(told))


async def _connect(database: Database, settings: Settings, tenant: str, url: str) -> None:
    connections = PostgresConnections(database, seal_of(settings))
    await connections.put(tenant, "samsara", base_url=url, credentials=BearerCredentials(token="bench"))  # noqa: S106


async def _measured(
    database: Database, settings: Settings, tenant: str, options: argparse.Namespace
) -> dict[str, Any]:
    feeds, wanted = PostgresFeeds(database), options.vehicles * options.points
    begun = time.perf_counter()
    await feeds.start(tenant, "samsara", "gps", interval_s=5)
    await _until(lambda: _read(feeds, tenant, wanted))
    read_s = time.perf_counter() - begun
    await _until(lambda: _ended(database, tenant))
    committed_s = time.perf_counter() - begun
    await _found(database, settings, tenant, f"Truck {options.vehicles - 1:05}")
    visible_s = time.perf_counter() - begun
    sampled = await _row(database, _SAMPLED, (tenant,))
    if (sampled["points"], sampled["different"]) != (wanted, wanted):
        raise SystemExit(f"{wanted} points were sent, and these are kept: {sampled}")
    made = await _row(database, _MADE, {"tenant": tenant})
    return {
        "points": wanted,
        **made,
        "read_s": round(read_s, 2),
        "committed_s": round(committed_s, 2),
        "visible_s": round(visible_s, 2),
        "points_per_s": round(wanted / visible_s),
    }


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await holds():
            return
        await asyncio.sleep(0.05)


async def _read(feeds: PostgresFeeds, tenant: str, points: int) -> bool:
    return (await feeds.listed(tenant))[0].points >= points


async def _ended(database: Database, tenant: str) -> bool:
    return not (await _row(database, _OPEN, (tenant,)))["events"]


async def _found(database: Database, settings: Settings, tenant: str, name: str) -> None:
    key = await PostgresApiKeys(database).issue(tenant, label="bench")
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=settings.api_url, headers=headers, timeout=30) as http:
        client = ApexClient(http)
        while True:
            answer = await client.search(f"where is {name}", limit=3)
            if any(name in hit.title for hit in answer.hits):
                return


async def _row(database: Database, query: Any, parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - psycopg's own
    async with database.connection() as connection:
        [row] = await (await connection.execute(query, parameters)).fetchall()
    return row


def _pages(vehicles: int, points: int, size: int) -> Sequence[bytes]:
    """In the order of time, so that a vehicle is on many pages."""
    begun = datetime.now(UTC) - timedelta(seconds=5 * points)
    flat = [(vehicle, n) for n in range(points) for vehicle in range(vehicles)]
    chunks = [flat[start : start + size] for start in range(0, len(flat), size)]
    return [
        orjson.dumps(
            {
                "data": _rows(chunk, begun),
                "pagination": {"endCursor": str(number + 1), "hasNextPage": number + 1 < len(chunks)},
            }
        )
        for number, chunk in enumerate(chunks)
    ]


def _rows(chunk: Sequence[tuple[int, int]], begun: datetime) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for vehicle, n in chunk:
        row = rows.setdefault(vehicle, {"id": f"2814{vehicle:08}", "name": f"Truck {vehicle:05}", "gps": []})
        row["gps"].append(
            {
                "time": (begun + timedelta(seconds=5 * n)).isoformat(),
                "latitude": round(30 + vehicle % 20 + n * 0.0012, 6),
                "longitude": round(-100 + vehicle / 40, 6),
                "speedMilesPerHour": 60,
                "headingDegrees": 0,
            }
        )
    return list(rows.values())


@contextlib.asynccontextmanager
async def _served(pages: Sequence[bytes], port: int) -> AsyncGenerator[str, None]:
    """The feed, at its own port; behind its last page there is nothing."""

    async def feed(request: Request) -> Response:
        number = int(request.query_params.get("after", 0))
        nothing = orjson.dumps({"data": [], "pagination": {"endCursor": str(number), "hasNextPage": False}})
        return Response(pages[number] if number < len(pages) else nothing, media_type="application/json")

    app = Starlette(routes=[Route("/fleet/vehicles/stats/feed", feed)])
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vehicles", type=int, default=500)
    parser.add_argument("--points", type=int, default=100, help="of each vehicle")
    parser.add_argument("--page", type=int, default=5_000, help="points a page")
    parser.add_argument("--port", type=int, default=18_950)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser.parse_args()


asyncio.run(main())
