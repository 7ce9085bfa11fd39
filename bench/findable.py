"""A running stack in; how long from POST to findable for one event at a time, beside a search alone, out.

    apex dev up && python bench/findable.py [--events 20] [--warm-up 10] [--json]

Findable: a search through the API returns the item. The search alone is the baseline, so that the ratio tells
what remembering adds to asking, whatever the machine.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

from apex_memory.cli.client import ApexClient, open_client


async def main() -> None:
    options = _options()
    async with open_client() as client:
        for _ in range(options.warm_up):
            await _findable_ms(client)
        searches: list[float] = []
        findables: list[float] = []
        for _ in range(options.events):
            searches.append(await _search_ms(client))
            findables.append(await _findable_ms(client))
    print(_report(searches, findables, as_json=options.json))


async def _findable_ms(client: ApexClient) -> float:
    """One event, all the way: accepted, written to every store, committed, found."""
    vehicle = f"TRUCK-{uuid4().hex[:8].upper()}"
    record = {
        "vehicle_id": vehicle,
        "latitude": 41.8781,
        "longitude": -87.6298,
        "timestamp": datetime.now(UTC).isoformat(),
        "speed_mph": 55,
    }
    begun = time.perf_counter()
    accepted = await client.send_record("samsara", record)
    ended = await client.settled(accepted.ingestion_id, timeout_s=60)
    answer = await client.search(f"where is {vehicle}", limit=3, min_seq=ended.seq)
    elapsed = (time.perf_counter() - begun) * 1000
    if not any(hit.external_id.startswith(vehicle) for hit in answer.hits):
        raise SystemExit(f"{vehicle} was committed and not found: {ended}")
    return elapsed


async def _search_ms(client: ApexClient) -> float:
    begun = time.perf_counter()
    # A question never asked before: no cache answers it.
    await client.search(f"where is TRUCK-{uuid4().hex[:8].upper()}", limit=3)
    return (time.perf_counter() - begun) * 1000


def _report(searches: Sequence[float], findables: Sequence[float], *, as_json: bool) -> str:
    measured = {"findable_ms": _figures(findables), "search_ms": _figures(searches)}
    ratio = round(statistics.median(findables) / statistics.median(searches), 1)
    if as_json:
        return json.dumps({"events": len(findables), **measured, "ratio_p50": ratio})
    rows = [f"{name:12} " + "  ".join(f"{k} {v}" for k, v in row.items()) for name, row in measured.items()]
    return "\n".join([f"{len(findables)} events, one at a time", *rows, f"findable / search, p50: {ratio}"])


def _figures(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return {
        "p50": round(statistics.median(values), 1),
        "p95": round(cuts[-1], 1),
        "max": round(max(values), 1),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20)
    parser.add_argument("--warm-up", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser.parse_args()


asyncio.run(main())
