"""JSON on the real stack as its sources give it out, from their own APIs to an answer."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecutionStatus
from tests.doubles.sources import TOKEN, Json, SourcesDouble, dropped, rate_limited, sources_double, usual
from tests.integration import vendors
from tests.integration.vendors import connect, vendor
from tests.integration.workflows.product import at_rest, at_work

from apex_memory.bootstrap.memory import Memory
from apex_memory.database import Database
from apex_memory.domain import ids
from apex_memory.domain.answers import Neighbourhood, SearchAnswer
from apex_memory.domain.connections import BearerCredentials
from apex_memory.domain.feeds import Feed
from apex_memory.domain.ledger import Outcome
from apex_memory.domain.queues import Queue
from apex_memory.domain.upkeep import UpkeepRun
from apex_memory.settings import Settings

pytestmark = [
    pytest.mark.integration,
    # Of an activity whose heartbeat a busy machine missed: the worker is told to cancel what it has ended.
    pytest.mark.filterwarnings("ignore:Cannot find activity to cancel:UserWarning"),
]

#: 30 vehicles with 40 points on each of three pages: 3,600.
VEHICLES, POINTS, PAGES = 30, 40, 3
START = datetime(2026, 11, 18, 6, 0, tzinfo=UTC)


@pytest.fixture
async def sources() -> AsyncGenerator[SourcesDouble, None]:
    """The APIs of all sources, and whatever a test makes them answer."""
    async with sources_double() as double:
        yield double


@pytest.fixture
def connected(settings: Settings, sources: SourcesDouble) -> Settings:
    """Settings with which the sources may be asked."""
    urls = ",".join(f"{name}={sources.base_url}" for name in ("samsara", "turvo", "frontapp"))
    return settings.model_copy(update={"source_api_urls": urls})


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Until it does; the test's own time limit is the deadline."""
    while not await holds():
        await asyncio.sleep(0.1)


async def rows(database: Database, query: Any, *parameters: object) -> list[dict[str, Any]]:
    async with database.connection() as connection:
        return await (await connection.execute(query, parameters)).fetchall()


def page(number: int) -> list[Json]:
    """All vehicles, half a degree apart; each is at another place on each page, and stays there."""
    return [
        {
            "id": f"2814{vehicle:04}",
            "name": f"Truck {vehicle}",
            "gps": [
                {
                    "time": (START + timedelta(seconds=5 * (number * POINTS + n))).isoformat(),
                    "latitude": latitude(vehicle, number),
                    "longitude": -87.5,
                    "speedMilesPerHour": 55,
                }
                for n in range(POINTS)
            ],
        }
        for vehicle in range(VEHICLES)
    ]


def latitude(vehicle: int, number: int) -> float:
    return 30 + vehicle / 2 + number / 10


def one_more(second: int, number: int) -> list[Json]:
    """A point of each vehicle, after so many seconds, at its place of page `number`."""
    at = (START + timedelta(seconds=second)).isoformat()
    return [
        {
            "id": f"2814{vehicle:04}",
            "name": f"Truck {vehicle}",
            "gps": [{"time": at, "latitude": latitude(vehicle, number), "longitude": -87.5}],
        }
        for vehicle in range(VEHICLES)
    ]


async def sampled(database: Database, tenant: str) -> list[tuple[str, datetime]]:
    """Vehicle and time of every point that readers could see."""
    found = await rows(
        database,
        "SELECT e.key, s.at FROM sample AS s JOIN entity AS e USING (tenant_id, entity_id) "
        "JOIN item_version AS v USING (tenant_id, item_id, version) "
        "WHERE s.tenant_id = %s AND s.metric = 'latitude' AND v.state = 'committed' "
        "AND v.superseded_seq IS NULL ORDER BY e.key, s.at",
        tenant,
    )
    return [(row["key"], row["at"]) for row in found]


async def places(database: Database, tenant: str) -> list[tuple[str, str]]:
    """Vehicle and place of every claim, in the order of their time."""
    found = await rows(
        database,
        "SELECT e.key, c.value FROM claim AS c JOIN entity AS e "
        "ON e.tenant_id = c.tenant_id AND e.entity_id = c.subject_id "
        "WHERE c.tenant_id = %s AND c.predicate = 'located_at' ORDER BY e.key, c.valid_from",
        tenant,
    )
    return [(row["key"], row["value"]) for row in found]


async def feed_of(memory: Memory, tenant: str) -> Feed:
    [feed] = await memory.feeds.listed(tenant)
    return feed


async def current_place(memory: Memory, tenant: str, vehicle: int) -> str | None:
    """What a reader takes for the place where it is: the fact that holds since last."""
    entity = ids.entity_id(tenant, "vehicle", f"2814{vehicle:04}")
    around = await memory.retrieval.neighbourhood(tenant, entity)
    located = [fact for fact in around.facts if fact.predicate == "located_at"]
    return max(located, key=lambda fact: fact.valid_from).value


def expected(numbers: Sequence[int], extra: Sequence[int] = ()) -> list[tuple[str, datetime]]:
    seconds = [5 * (number * POINTS + n) for number in numbers for n in range(POINTS)]
    return sorted(
        (f"2814{vehicle:04}", START + timedelta(seconds=second))
        for vehicle in range(VEHICLES)
        for second in (*seconds, *extra)
    )


@pytest.mark.timeout(300)
async def test_samsara_gps_ingestion(
    connected: Settings,
    sources: SourcesDouble,
    temporal: Client,
    database: Database,
    memory: Memory,
    tenant: str,
) -> None:
    """Every point once, through a 429, a lost page, restarted workers and a terminated workflow."""
    sources.pages = [page(number) for number in range(PAGES)]
    # Two refusals: the first ends a poll that has read a page, the second one is waited for in the open.
    sources.plan(usual(), rate_limited(), rate_limited(), dropped(), at="/fleet/")
    credentials = BearerCredentials(token=TOKEN)
    await memory.connections.put(tenant, "samsara", base_url=sources.base_url, credentials=credentials)
    await memory.feeds.start(tenant, "samsara", "gps", interval_s=1)
    handle = temporal.get_workflow_handle(ids.feed_workflow_id(tenant, "samsara", "gps"))

    async with at_work(connected, temporal):
        await until(lambda: _has(memory, tenant, VEHICLES * POINTS))
    await handle.terminate()

    async with at_work(connected, temporal):
        await until(lambda: _has(memory, tenant, VEHICLES * POINTS * PAGES))
        await at_rest(database)
        assert await sampled(database, tenant) == expected(range(PAGES))
        moved = await places(database, tenant)
        assert moved == [
            (f"2814{vehicle:04}", f"{latitude(vehicle, number):g},-87.5")
            for vehicle in range(VEHICLES)
            for number in range(PAGES)
        ]

        # Nobody moved since, and the second one is late: it tells of the past.
        sources.pages += [one_more(1_000, PAGES - 1), one_more(7, 0)]
        await until(lambda: _has(memory, tenant, VEHICLES * (POINTS * PAGES + 2)))
        await at_rest(database)

        assert await sampled(database, tenant) == expected(range(PAGES), extra=(7, 1_000))
        assert await places(database, tenant) == moved
        assert await current_place(memory, tenant, 7) == f"{latitude(7, PAGES - 1):g},-87.5"
        answer = await memory.retrieval.search(tenant, "where is Truck 7")
        assert answer.hits[0].title == "Truck 7 positions"
        assert not answer.missing
        await _everything_is_where_it_belongs(connected, temporal, database, tenant)

        await memory.feeds.stop(tenant, "samsara", "gps")
        await handle.result()

    assert (await feed_of(memory, tenant)).last_error is None
    assert sources.count("/fleet/") >= PAGES + 3
    assert (await handle.describe()).status is WorkflowExecutionStatus.COMPLETED


async def _has(memory: Memory, tenant: str, points: int) -> bool:
    feed = await feed_of(memory, tenant)
    opened = await memory.feeds.opened(tenant, "samsara", "gps")
    return feed.points >= points and opened is not None and not opened.waiting


async def _everything_is_where_it_belongs(
    settings: Settings, temporal: Client, database: Database, tenant: str
) -> None:
    """Entries without text too: stores and ledger say the same, and who waits for news has heard of them."""
    textless = await rows(database, "SELECT FROM item_version WHERE title = 'positions'")
    assert len(textless) >= VEHICLES
    run = UpkeepRun(tenant_id=tenant)
    queue = Queue.WORKFLOWS.named(settings.queue_prefix)
    await temporal.execute_workflow("ReconcileWorkflow", run, id=f"reconcile:{tenant}", task_queue=queue)
    compared = await rows(
        database,
        "SELECT store, checked, missing + torn + unknown AS wrong FROM reconciliation WHERE tenant_id = %s",
        tenant,
    )
    assert {row["store"] for row in compared} == {"postgres", "qdrant", "neo4j"}
    assert [row["wrong"] for row in compared] == [0, 0, 0]
    assert all(row["checked"] > 2 * VEHICLES for row in compared)
    await until(lambda: _told(database, tenant))


async def _told(database: Database, tenant: str) -> bool:
    return not await rows(database, "SELECT FROM outbox WHERE tenant_id = %s", tenant)


#: One shipment: as Turvo's webhooks, and as people call it.
NUMBER, CUSTOM = "1000324868", "SHIP-2026-11-18-001"
MESSAGE, PREVIEW, CONVERSATION = "msg_1q15qmtq", "msg_1q15qn00", "cnv_yo1kg5q"
COVERED, AT_PICKUP = ("2102", "2026-11-17T18:00:00Z"), ("2104", "2026-11-18T12:49:00Z")
EN_ROUTE, DELIVERED = ("2105", "2026-11-18T14:05:44Z"), ("2107", "2026-11-20T15:10:00Z")
COMPLETED = ("2112", "2026-11-21T09:00:00Z")


async def entity(memory: Memory, tenant: str, kind: str, key: str) -> Neighbourhood:
    return await memory.retrieval.neighbourhood(tenant, ids.entity_id(tenant, kind, key))


def now(around: Neighbourhood) -> str | None:
    """How it stands."""
    return next(fact.value for fact in around.current if fact.predicate == "has_status")


def past(around: Neighbourhood) -> list[str | None]:
    """How it stood, the newest first."""
    return [fact.value for fact in around.timeline if fact.predicate == "has_status"]


def told_of(answer: SearchAnswer) -> set[str]:
    return {hit.external_id for hit in answer.hits}


async def events_kept(database: Database, tenant: str) -> list[dict[str, Any]]:
    """How often each event was sent, and how it ended."""
    return await rows(
        database,
        "SELECT deliveries, outcome, version FROM inbox_event WHERE tenant_id = %s ORDER BY received_at",
        tenant,
    )


async def nothing_differs(settings: Settings, temporal: Client, database: Database, tenant: str) -> None:
    """What the ledger says is in each store, and nothing else is."""
    await at_rest(database)
    queue = Queue.WORKFLOWS.named(settings.queue_prefix)
    run = UpkeepRun(tenant_id=tenant)
    await temporal.execute_workflow("ReconcileWorkflow", run, id=f"reconcile:{tenant}", task_queue=queue)
    found = await rows(
        database,
        "SELECT store, missing + torn + unknown AS wrong FROM reconciliation WHERE tenant_id = %s",
        tenant,
    )
    assert {row["store"]: row["wrong"] for row in found} == {"postgres": 0, "qdrant": 0, "neo4j": 0}


@pytest.mark.timeout(180)
async def test_turvo_shipment_ingestion(
    connected: Settings,
    sources: SourcesDouble,
    temporal: Client,
    database: Database,
    memory: Memory,
    tenant: str,
    other_tenant: str,
) -> None:
    """Thin, repeated and late, under two names: a shipment is one, and its status is what was true last."""
    await connect(memory, tenant, "turvo", sources)
    turvo = await vendor(memory, tenant, "turvo", "token")

    async with at_work(connected, temporal):
        sources.shipments[NUMBER] = vendors.shipment(CUSTOM, COVERED, AT_PICKUP, EN_ROUTE)
        first = await turvo.ends(vendors.status_update(*EN_ROUTE))
        again = await turvo.pushes(vendors.status_update(*EN_ROUTE))

        assert (again.event_id, again.duplicate) == (first.ingestion_id, True)
        assert (first.outcome, sources.count("/shipments")) == (Outcome.COMMITTED, 1)
        answer = await memory.retrieval.search(tenant, f"where is {CUSTOM}?", min_seq=first.seq)
        assert (told_of(answer), answer.missing) == ({NUMBER}, ())
        assert "Omaha, NE" in {fact.value for fact in answer.facts}

        sources.shipments[NUMBER] = vendors.shipment(CUSTOM, COVERED, AT_PICKUP, EN_ROUTE, DELIVERED)
        newer = await turvo.ends(vendors.status_update(*DELIVERED))
        late = await turvo.ends(vendors.status_update(*AT_PICKUP))
        assert [newer.outcome, late.outcome] == [Outcome.COMMITTED, Outcome.COMMITTED]
        for name in (CUSTOM, NUMBER):
            around = await entity(memory, tenant, "shipment", name)
            assert now(around) == "delivered"
            assert past(around) == ["delivered", "en_route", "at_pickup", "covered"]

        # What is no longer completed is told of the number alone: one word is older than all, one is newer.
        await memory.connections.remove(tenant, "turvo")
        await turvo.ends(vendors.status_update("2101", "2026-11-17T09:00:00Z"))
        newest = await turvo.ends(vendors.status_update(*COMPLETED))
        for name in (CUSTOM, NUMBER):
            around = await entity(memory, tenant, "shipment", name)
            assert now(around) == "completed"
            assert past(around) == ["completed", "delivered", "en_route", "at_pickup", "covered", "tendered"]

        await nothing_differs(connected, temporal, database, tenant)

    heads = await rows(
        database,
        "SELECT committed, as_of FROM item_head WHERE tenant_id = %s AND external_id = %s",
        tenant,
        NUMBER,
    )
    assert [(row["committed"], row["as_of"].isoformat()) for row in heads] == [
        (newer.version, "2026-11-20T15:10:00+00:00")
    ]
    assert [row["deliveries"] for row in await events_kept(database, tenant)] == [2, 1, 1, 1, 1]
    found = await memory.retrieval.search(tenant, CUSTOM, min_seq=newest.seq)
    assert NUMBER in told_of(found)
    assert (await memory.retrieval.search(other_tenant, CUSTOM)).hits == ()


@pytest.mark.timeout(180)
async def test_frontapp_webhook_ingestion(
    connected: Settings,
    sources: SourcesDouble,
    temporal: Client,
    database: Database,
    memory: Memory,
    tenant: str,
) -> None:
    """A message that came before its shipment is joined to it; each event counts once, however it is sent."""
    for source in ("frontapp", "turvo"):
        await connect(memory, tenant, source, sources)
    application = await vendor(memory, tenant, "frontapp", "front_application")
    rule = await vendor(memory, tenant, "frontapp", "front_rule")
    turvo = await vendor(memory, tenant, "turvo", "token")
    asked = vendors.inbound(CUSTOM)
    whole = asked["payload"]["target"]["data"]
    sources.messages[PREVIEW] = {**whole, "id": PREVIEW, "text": f"{CUSTOM} is still not here!"}
    sources.shipments[NUMBER] = vendors.shipment(CUSTOM, COVERED, EN_ROUTE)

    async with at_work(connected, temporal):
        message = await application.ends(asked)
        by_rule = await rule.pushes(vendors.of_rule(asked))
        again = await application.pushes(asked)
        assert {by_rule.event_id, again.event_id} == {message.ingestion_id}
        assert (by_rule.duplicate, again.duplicate) == (True, True)

        before = await entity(memory, tenant, "shipment", CUSTOM)
        assert [(f.subject.key, f.predicate) for f in before.facts if f.object == before.entity] == [
            (MESSAGE, "mentions")
        ]
        assert before.current == ()

        shipped = await turvo.ends(vendors.status_update(*EN_ROUTE))
        outlined = await application.ends(vendors.preview())
        tag = {"id": "tag_1", "name": "ETA"}
        # Sent in the wrong order: what a tag event shows of its conversation is older than the assignment.
        assigned = await application.ends(
            vendors.happening("evt_assign", "assign", vendors.SAM, at=1795010800.0, status="assigned")
        )
        tagged = await application.ends(
            vendors.happening("evt_tag", "tag", tag, at=1795010750.0, status="unassigned")
        )
        ends = (message, shipped, outlined, assigned, tagged)
        assert {each.outcome for each in ends} == {Outcome.COMMITTED}

        # The shipment alone has some 60 passages.
        answer = await memory.retrieval.search(tenant, CUSTOM, min_seq=tagged.seq, limit=50)
        assert told_of(answer) >= {MESSAGE, PREVIEW, NUMBER}
        about = await entity(memory, tenant, "shipment", CUSTOM)
        assert {f.subject.key for f in about.facts if f.predicate == "mentions"} == {MESSAGE, PREVIEW}
        assert (now(about), {alias.key for alias in about.aliases}) == ("en_route", {NUMBER})
        talk = await entity(memory, tenant, "conversation", CONVERSATION)
        told = {(f.predicate, f.object.key) for f in talk.facts if f.object and f.subject == talk.entity}
        assert {("assigned_to", "sam@acme.example"), ("has_tag", "tag_1")} <= told
        assert (now(talk), past(talk)) == ("assigned", ["assigned", "unassigned", "unassigned"])

        await nothing_differs(connected, temporal, database, tenant)

    kept = await events_kept(database, tenant)
    assert [row["deliveries"] for row in kept] == [3, 1, 1, 1, 1]
    assert {row["version"] for row in kept} == {1}
    assert (sources.count("/messages"), sources.count("/shipments")) == (1, 1)
