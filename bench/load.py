"""A running stack and a rate in, how fast signed webhooks are acknowledged, committed and findable, out.

    apex dev up && python bench/load.py --rate 5 --seconds 300         # one tenant
    python bench/load.py --rate 120 --seconds 300                      # sustained: does the backlog grow?
    python bench/load.py --rate 200 --seconds 60 --only-acknowledge    # the 202 alone; workers may be stopped
    python bench/load.py --rate 1 --tenants 9 --noisy 200              # nine quiet tenants beside a noisy one

Committed: its ingestion is done, by the database's clock. Findable: a search through the API returns it; two
events a second are asked for. With `--noisy` the quiet tenants are measured alone, then beside the noise.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import httpx
from senders import Sender, Sent, Wire, new_sender, open_wire, send_at_rate

from apex_memory.cli.client import ApexClient
from apex_memory.database import Database, open_database
from apex_memory.settings import load_settings

_SAMPLE_EVERY_S = 0.5
_GLANCE_S = 0.005
_DRAIN_S = 900.0

_OUTCOMES = """
SELECT count(*) FILTER (WHERE outcome IS NULL) AS waiting, count(*) AS accepted,
       count(*) FILTER (WHERE outcome = 'committed') AS committed,
       count(DISTINCT batch_id) AS batches
FROM inbox_event WHERE tenant_id = ANY(%s) AND received_at >= %s
"""
_TIMES = """
SELECT extract(epoch FROM finished_at - received_at)::float AS seconds
FROM inbox_event WHERE tenant_id = ANY(%s) AND received_at >= %s AND outcome = 'committed'
"""


@dataclass
class Phase:
    """One stretch of load: what was sent, how soon samples of it were found, and what waited meanwhile."""

    began: datetime
    sent: list[Sent] = field(default_factory=list[Sent])
    found_s: list[float] = field(default_factory=list[float])
    backlog: list[int] = field(default_factory=list[int])


async def main() -> None:
    options = _options()
    settings = load_settings()
    async with (
        open_database(settings.postgres_url) as database,
        open_wire(settings.api_url) as wire,
        asyncio.timeout(options.seconds * 3 + 2 * _DRAIN_S),
    ):
        senders = [
            await new_sender(database, settings, tenant_id=f"quiet-{uuid4().hex[:8]}")
            for _ in range(options.tenants)
        ]
        # Before the next phase begins: what is read is all that these senders have sent since this one did.
        alone = await _figures(await _phase(wire, database, senders, [], options), database, senders)
        figures = {"alone" if options.noisy else "load": alone}
        if options.noisy:
            noisy = await new_sender(database, settings, tenant_id=f"noisy-{uuid4().hex[:8]}")
            phase = await _phase(wire, database, senders, [noisy], options)
            figures["beside the noise"] = await _figures(phase, database, senders)
    print(json.dumps(figures) if options.json else _told(figures, options))


async def _phase(
    wire: Wire,
    database: Database,
    senders: Sequence[Sender],
    noisy: Sequence[Sender],
    options: argparse.Namespace,
) -> Phase:
    phase = Phase(began=datetime.now(UTC))
    noise: list[Sent] = []
    async with asyncio.TaskGroup() as load:
        watching = load.create_task(_watch(database, senders, phase))
        sampling = load.create_task(_sample(senders, phase)) if not options.only_acknowledge else None
        sending = [
            load.create_task(
                send_at_rate(wire, sender, per_second=rate / many, seconds=options.seconds, sent=sent)
            )
            for group, rate, many, sent in (
                (senders, options.rate, len(senders), phase.sent),
                (noisy, options.noisy, 1, noise),
            )
            for sender in group
        ]
        await asyncio.gather(*sending)
        watching.cancel()
        if sampling:
            await _drained(database, senders, phase)
            sampling.cancel()
    return phase


async def _watch(database: Database, senders: Sequence[Sender], phase: Phase) -> None:
    while True:
        await asyncio.sleep(5)
        phase.backlog.append((await _outcomes(database, senders, phase))["waiting"])


async def _drained(database: Database, senders: Sequence[Sender], phase: Phase) -> None:
    async with asyncio.timeout(_DRAIN_S):
        while (await _outcomes(database, senders, phase))["waiting"]:  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.5)


async def _sample(senders: Sequence[Sender], phase: Phase) -> None:
    """Each half second, the event that is acknowledged next is waited for and searched."""
    url = load_settings().api_url
    async with AsyncExitStack() as stack:
        clients = {
            sender.tenant_id: ApexClient(await stack.enter_async_context(_http(url, sender)))
            for sender in senders
        }
        looks = await stack.enter_async_context(asyncio.TaskGroup())
        while True:
            await asyncio.sleep(_SAMPLE_EVERY_S)
            # The next one: the last one may have been found before anybody looks.
            last = _newest(phase)
            while (sent := _newest(phase)) is last:  # noqa: ASYNC110 - senders have more to do than to tell
                await asyncio.sleep(_GLANCE_S)
            if sent:
                looks.create_task(_look(clients[sent.sender.tenant_id], sent, phase))


def _newest(phase: Phase) -> Sent | None:
    """The last one that was acknowledged."""
    return next((sent for sent in reversed(phase.sent) if sent.event_id), None)


def _http(url: str, sender: Sender) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {sender.api_key}"},
        timeout=60,
        limits=httpx.Limits(max_connections=None),
        trust_env=False,
    )


async def _look(client: ApexClient, sent: Sent, phase: Phase) -> None:
    if sent.event_id is None:
        return
    ended = await client.settled(sent.event_id, timeout_s=_DRAIN_S)
    while True:
        answer = await client.search(sent.alert.word, limit=5, min_seq=ended.seq)
        if any(sent.alert.word in hit.text for hit in answer.hits):
            break
        # A partial answer says so; a whole one must hold what was committed.
        if not answer.missing:
            raise SystemExit(f"{sent.alert.word} was committed and not found: {ended}")
    phase.found_s.append(time.perf_counter() - sent.at)


async def _outcomes(database: Database, senders: Sequence[Sender], phase: Phase) -> Mapping[str, int]:
    async with database.connection() as connection:
        cursor = await connection.execute(_OUTCOMES, ([s.tenant_id for s in senders], phase.began))
        return await cursor.fetchone() or {}


async def _figures(phase: Phase, database: Database, senders: Sequence[Sender]) -> dict[str, object]:
    outcomes = await _outcomes(database, senders, phase)
    async with database.connection() as connection:
        cursor = await connection.execute(_TIMES, ([s.tenant_id for s in senders], phase.began))
        committed = [row["seconds"] async for row in cursor]
    refused = sum(sent.event_id is None for sent in phase.sent)
    return {
        "sent": len(phase.sent),
        "refused": refused,
        **outcomes,
        "backlog": phase.backlog[-12:],
        "ack_ms": _cuts([sent.ack_s for sent in phase.sent]),
        "committed_ms": _cuts(committed),
        "findable_ms": _cuts(phase.found_s),
    }


def _cuts(seconds: Sequence[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    found = {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(seconds)}
    return {name: round(value * 1000, 1) for name, value in found.items()}


def _told(figures: Mapping[str, Mapping[str, object]], options: argparse.Namespace) -> str:
    lines = [f"{options.rate:g} events/s over {options.seconds:g} s, {options.tenants} tenants"]
    for name, row in figures.items():
        lines += [f"{name}:", *(f"  {key:13} {value}" for key, value in row.items())]
    return "\n".join(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rate", type=float, default=5.0, help="events a second, of all quiet tenants")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--noisy", type=float, default=0.0, help="events a second of one tenant more")
    parser.add_argument("--only-acknowledge", action="store_true", help="wait for nothing behind the 202")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    return parser.parse_args()


asyncio.run(main())
