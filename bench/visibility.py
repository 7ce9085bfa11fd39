"""A running stack in; what reading at a snapshot adds to a search, by switching it off, out.

    apex dev up && python bench/visibility.py [--items 300] [--searches 300] [--json]

Switched off: no snapshot is read, and the read filter lets every version pass. The joins stay, for a hit's
title and source are wanted either way. The two take turns, so that whatever else the machine does hits both.
"""

import argparse
import asyncio
import importlib.util
import json
import random
import statistics
import sys
import time
from pathlib import Path
from types import ModuleType
from uuid import uuid4

from apex_memory.bootstrap.clients import open_embedder
from apex_memory.cli.client import open_client
from apex_memory.database import open_database
from apex_memory.devstack.welcome import TENANT
from apex_memory.pipeline.ledger.ledger import PostgresLedger
from apex_memory.pipeline.retrieval.search import Retrieval
from apex_memory.pipeline.stores import archive
from apex_memory.pipeline.stores.registry import open_cache, open_stores
from apex_memory.settings import Settings, load_settings

_FILTER = "v.state = 'committed' AND NOT v.tombstone AND v.commit_seq <= %(seq)s"
_FILTER_END = "AND (v.superseded_seq IS NULL OR v.superseded_seq > %(seq)s)"
_WORDS = ("delivery", "dock", "delayed", "customer", "pallets", "signed", "refrigerated", "route", "driver")


class _NoSnapshot:
    """A ledger that is not asked."""

    async def snapshot(self, tenant_id: str) -> int:  # noqa: ARG002 - the port's
        return sys.maxsize >> 1


def _archive_without_filter() -> ModuleType:
    """The product's archive, its read filter replaced by one that lets everything pass."""
    path = Path(archive.__file__)
    source = path.read_text()
    if _FILTER not in source or _FILTER_END not in source:
        raise SystemExit(f"the read filter in {path} is not the one that this bench switches off")
    spec = importlib.util.spec_from_loader("archive_without_filter", loader=None)
    if spec is None:
        raise SystemExit("no module")
    module = importlib.util.module_from_spec(spec)
    unfiltered = source.replace(_FILTER, "%(seq)s::bigint > 0").replace(_FILTER_END, "")
    exec(compile(unfiltered, str(path), "exec"), module.__dict__)  # noqa: S102 - our own source
    return module


async def main() -> None:
    options = _options()
    settings = load_settings()
    await _fill(options.items)
    on, off = await _measured(settings, options.searches)
    cuts = [statistics.quantiles(times, n=20, method="inclusive")[-1] for times in (on, off)]
    figures = {
        "searches": len(on),
        "with_ms": {"p50": round(statistics.median(on), 2), "p95": round(cuts[0], 2)},
        "without_ms": {"p50": round(statistics.median(off), 2), "p95": round(cuts[1], 2)},
        "cost_p50": round(statistics.median(on) / statistics.median(off) - 1, 3),
        "cost_p95": round(cuts[0] / cuts[1] - 1, 3),
    }
    print(json.dumps(figures) if options.json else "\n".join(f"{k:12} {v}" for k, v in figures.items()))


async def _fill(items: int) -> None:
    """Items with several versions each, so that there is something to filter."""
    chance = random.Random(1)  # noqa: S311 - repeatable content
    async with open_client() as client:
        last = None
        for n in range(items * 2):
            body = f"{' '.join(chance.choices(_WORDS, k=12))} {uuid4().hex[:6]}"
            message = {
                "message_id": f"BENCH-{n % items}",
                "subject": "bench",
                "body": body,
                "sender": "a@b.example",
            }
            last = await client.send_record("frontapp", message)
        if last is not None:
            await client.settled(last.ingestion_id, timeout_s=600)


async def _measured(settings: Settings, searches: int) -> tuple[list[float], list[float]]:
    async with (
        open_database(settings.postgres_url) as database,
        open_embedder(settings, database) as embedder,
        open_stores(settings, database, embedder) as stores,
        open_cache(settings) as cache,
    ):
        parts = (stores.qdrant, stores.neo4j, embedder, cache)
        filtered, unfiltered = (
            archive.PostgresArchive(database),
            _archive_without_filter().PostgresArchive(database),
        )
        on = Retrieval(PostgresLedger(database), filtered, *parts, deadline_s=settings.read_deadline_s)
        off = Retrieval(_NoSnapshot(), unfiltered, *parts, deadline_s=settings.read_deadline_s)
        times: tuple[list[float], list[float]] = ([], [])
        for n in range(-20, searches):
            order = ((on, times[0]), (off, times[1]))
            for retrieval, kept in order if n % 2 else reversed(order):
                begun = time.perf_counter()
                await retrieval.search(TENANT, f"{random.choice(_WORDS)} {uuid4().hex[:8]}", limit=10)  # noqa: S311
                if n >= 0:
                    kept.append((time.perf_counter() - begun) * 1000)
        return times


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=300)
    parser.add_argument("--searches", type=int, default=300)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser.parse_args()


asyncio.run(main())
