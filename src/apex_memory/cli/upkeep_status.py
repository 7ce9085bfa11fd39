"""The settings in, what waits for the upkeep, what was reconciled and what is scheduled out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
import typer
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from temporalio.client import Client, ScheduleDescription
from temporalio.service import RPCError, RPCStatusCode

from apex_memory.bootstrap.clients import connect_temporal
from apex_memory.bootstrap.schedules import SCHEDULED, schedule_id
from apex_memory.database import open_database
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.upkeep import Backlog, Reconciliation
from apex_memory.pipeline.ledger.upkeep import PostgresUpkeep
from apex_memory.settings import Settings, load_settings


async def describe(*, as_json: bool) -> None:
    settings = load_settings()
    async with open_database(settings.postgres_url, max_size=1) as database:
        upkeep = PostgresUpkeep(database)
        backlog = await upkeep.backlog(open_longer_than_s=settings.reap_after_s)
        published = await upkeep.published()
    schedules = await _schedules(await connect_temporal(settings), settings)
    if as_json:
        whole = {
            "backlog": backlog.model_dump(),
            "reconciliations": [figures.model_dump() for figures in published],
            "schedules": schedules,
        }
        typer.echo(orjson.dumps(whole).decode())
    else:
        tables = Group(_waiting(backlog, settings), _reconciled(published), _scheduled(schedules))
        Console(highlight=False, soft_wrap=True).print(tables)


async def _schedules(temporal: Client, settings: Settings) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for kind in SCHEDULED:
        try:
            described = await temporal.get_schedule_handle(schedule_id(kind, settings)).describe()
        except RPCError as exc:
            if exc.status is not RPCStatusCode.NOT_FOUND:
                raise StoreUnavailable("temporal", str(exc)) from exc
            found.append({"name": kind.name, "state": "missing: a maintain worker creates it at its start"})
        else:
            found.append({"name": kind.name, **_of(described)})
    return found


def _of(described: ScheduleDescription) -> dict[str, Any]:
    info, [interval] = described.info, described.schedule.spec.intervals
    return {
        "state": "paused"
        if described.schedule.state.paused
        else "running"
        if info.running_actions
        else "waiting",
        "every_s": interval.every.total_seconds(),
        "last_run": info.recent_actions[-1].started_at if info.recent_actions else None,
        "next_run": info.next_action_times[0] if info.next_action_times else None,
    }


def _waiting(backlog: Backlog, settings: Settings) -> Table:
    table = _table("Waiting", "what", "how many", "oldest")
    for what, number, age in (
        (
            f"batches open for more than {settings.reap_after_s:g} s",
            backlog.open_batches,
            backlog.oldest_open_s,
        ),
        ("versions preparing", backlog.preparing, backlog.oldest_preparing_s),
        ("aborted versions to clean up", backlog.cleanup_pending, backlog.oldest_cleanup_pending_s),
        ("superseded versions to collect", backlog.superseded, backlog.oldest_superseded_s),
    ):
        table.add_row(what, str(number), f"{age:.0f} s" if number else "")
    return table


def _reconciled(published: Sequence[Reconciliation]) -> Table:
    columns = ("checked", "missing", "torn", "unknown", "mended")
    table = _table("Last reconciliation", "tenant", "store", *columns, "finished")
    for one in published:
        figures = (str(getattr(one, column)) for column in columns)
        table.add_row(escape(one.tenant_id), one.store, *figures, _when(one.finished_at))
    return table


def _scheduled(schedules: list[dict[str, Any]]) -> Table:
    table = _table("Schedules", "name", "every", "state", "last run", "next run")
    for one in schedules:
        every = f"{one['every_s']:g} s" if "every_s" in one else ""
        table.add_row(
            one["name"], every, one["state"], _when(one.get("last_run")), _when(one.get("next_run"))
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(box=None, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column)
    return table


def _when(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if moment else ""
