"""A running product and a seed in, clients that write and read until told to stop out."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

import httpx
from tests.chaos.campaign.content import Item, Write, seen_in_facts, seen_in_search, written
from tests.chaos.campaign.history import History, Operation

from apex_memory.bootstrap.memory import Memory, open_memory
from apex_memory.domain import ids
from apex_memory.domain.errors import ApexError, ItemNotFound
from apex_memory.settings import Settings

HOT: Final = 10
#: A client that has waited this long goes on with something else. The outcome is then not known to it.
CLIENT_PATIENCE_S: Final = 8.0
SETTLE_PATIENCE_S: Final = 12.0
_TRIES: Final = 200
_SOURCES: Final = ("turvo", "turvo", "turvo", "turvo", "frontapp")


@dataclass
class Tenant:
    """One tenant's key, its items, and what its writers know of them."""

    tenant_id: str
    letter: str
    key: str
    hot: list[Item]
    cold: list[Item] = field(default_factory=list[Item])
    last: dict[str, Write] = field(default_factory=dict[str, Write])
    seq: int = 0

    def item_id(self, item: Item) -> UUID:
        return ids.item_id(self.tenant_id, item.source, item.external_id)


def make_tenant(tenant_id: str, letter: str, key: str) -> Tenant:
    hot = [
        Item(source=_SOURCES[n % len(_SOURCES)], external_id=f"CHS-{letter.upper()}-H{n}") for n in range(HOT)
    ]
    return Tenant(tenant_id=tenant_id, letter=letter, key=key, hot=hot)


@dataclass(frozen=True)
class Pace:
    """Seconds between two operations of one client, on average."""

    write_s: float = 0.7
    read_s: float = 0.05
    ask_s: float = 0.5

    def slower(self, times: float) -> "Pace":
        return Pace(write_s=self.write_s * times, read_s=self.read_s * times, ask_s=self.ask_s * times)


class Clock:
    """Times that no two writes share."""

    def __init__(self) -> None:
        self._last = datetime.now(UTC)

    def next(self) -> datetime:
        self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
        return self._last


class Client:
    """What writers and readers of one tenant share."""

    def __init__(
        self, proc: str, tenant: Tenant, *, http: httpx.AsyncClient, history: History, chance: random.Random
    ) -> None:
        self.proc = proc
        self.tenant = tenant
        self.chance = chance
        self._http = http
        self._history = history

    async def asked(
        self, operation: Operation, method: str, url: str, **options: Any
    ) -> httpx.Response | None:
        """The answer; None, and a line in the history, if there was none or the service cannot now."""
        headers = {"Authorization": f"Bearer {self.tenant.key}", **options.pop("headers", {})}
        try:
            async with asyncio.timeout(CLIENT_PATIENCE_S):
                answer = await self._http.request(method, url, headers=headers, **options)
        except httpx.ConnectError as exc:
            self.note(operation, out="fail", why=type(exc).__name__)
            return None
        except (httpx.HTTPError, TimeoutError) as exc:
            self.note(operation, out="info", why=type(exc).__name__)
            return None
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.note(operation, out="info", why=str(answer.status_code))
            return None
        return answer

    def begun(self, op: str, **known: Any) -> Operation:
        now = time.monotonic_ns()
        return Operation(
            op=op, proc=self.proc, tenant=self.tenant.tenant_id, inv=now, ret=now, out="info", **known
        )

    def note(self, operation: Operation, **learned: Any) -> None:
        self._history.note(replace(operation, ret=time.monotonic_ns(), **learned))

    async def pause(self, mean_s: float) -> None:
        await asyncio.sleep(self.chance.uniform(0.5, 1.5) * mean_s)

    def any_item(self) -> Item:
        if self.tenant.cold and self.chance.random() < 0.2:
            return self.chance.choice(self.tenant.cold)
        return self.chance.choice(self.tenant.hot)


class Writer(Client):
    """Sends, waits for the end, sends again; in between it repeats itself, and is late."""

    def __init__(self, *args: Any, number: int, clock: Clock, **options: Any) -> None:
        super().__init__(*args, **options)
        self._number = number
        self._clock = clock
        self._count = 0
        self._sent: list[tuple[Write, str, str]] = []

    async def run(self, pace: Pace) -> None:
        while True:
            await self._once()
            await self.pause(pace.write_s)

    async def write(self, item: Item, *, late: bool = False, tries_every_s: float = 0.3) -> tuple[Write, str]:
        """A new content, sent until it is accepted; with the id of its ingestion, empty if that failed."""
        self._count += 1
        at = self._clock.next()
        if late:
            at -= timedelta(seconds=self.chance.randint(60, 3600))
        token = f"zq{self.tenant.letter}{self._number}n{self._count}"
        write = written(item, token, at, self.chance)
        key = f"{token}-0"
        ingestion = await self._send(write, key, tries_every_s=tries_every_s)
        self.tenant.last[item.name] = write
        self._sent = [*self._sent[-50:], (write, key, ingestion)]
        return write, ingestion

    async def _once(self) -> None:
        kind = self.chance.random()
        if kind < 0.03:
            await self._delete(self.any_item())
            return
        if kind < 0.08 and self._sent:
            write, key, _ = self.chance.choice(self._sent)
            await self._send(write, key)
            return
        if kind < 0.14 and self.tenant.last:
            write = self.chance.choice(list(self.tenant.last.values()))
            self._count += 1
            await self.settle(write, await self._send(write, f"{write.token}-{self._number}-{self._count}"))
            return
        if kind < 0.30:
            item = Item(
                source=self.chance.choice(_SOURCES),
                external_id=f"CHS-{self.tenant.letter.upper()}-C{self._number}-{self._count}",
            )
            self.tenant.cold = [*self.tenant.cold[-200:], item]
        else:
            item = self.chance.choice(self.tenant.hot)
        write, ingestion = await self.write(item, late=kind > 0.93)
        await self.settle(write, ingestion)

    async def _send(self, write: Write, key: str, *, tries_every_s: float = 0.3) -> str:
        for _ in range(_TRIES):
            operation = self.begun(
                "send", item=write.item.name, request=key, token=write.token, as_of=write.as_of
            )
            answer = await self.asked(
                operation,
                "POST",
                "/v1/records",
                json={"source": write.item.source, "record": write.record},
                headers={"Idempotency-Key": key},
            )
            if answer is not None:
                answer.raise_for_status()
                ingestion = str(answer.json()["ingestion_id"])
                self.note(operation, out="ok", ingestion=ingestion)
                return ingestion
            await self.pause(tries_every_s)
        return ""

    async def _delete(self, item: Item) -> None:
        self._count += 1
        key = f"delete-{self._number}-{self._count}"
        for _ in range(_TRIES):
            operation = self.begun("delete", item=item.name, request=key)
            answer = await self.asked(
                operation,
                "DELETE",
                f"/v1/items/{self.tenant.item_id(item)}",
                headers={"Idempotency-Key": key},
            )
            if answer is not None and answer.status_code == HTTPStatus.NOT_FOUND:
                self.note(operation, out="fail", why="404")
                return
            if answer is not None:
                answer.raise_for_status()
                seq = answer.json()["seq"]
                self.note(operation, out="ok", seq=seq)
                self.tenant.seq = max(self.tenant.seq, seq)
                return
            await self.pause(0.3)

    async def settle(self, write: Write, ingestion: str, *, patience_s: float = SETTLE_PATIENCE_S) -> bool:
        """Ask until it is done or patience is over."""
        end = time.monotonic() + patience_s
        while ingestion and time.monotonic() < end:
            operation = self.begun("settle", item=write.item.name, ingestion=ingestion, token=write.token)
            answer = await self.asked(operation, "GET", f"/v1/ingestions/{ingestion}", params={"wait_s": 2})
            if answer is None:
                await self.pause(0.2)
                continue
            answer.raise_for_status()
            told: Mapping[str, Any] = answer.json()
            if told["state"] != "done":
                self.note(operation, out="info", why=told["state"])
                continue
            seq = told["seq"] or 0
            self.note(
                operation, out="ok", outcome=told["outcome"], version=told["version"] or 0, seq=seq,
                why=told["reason"] or "",
            )  # fmt: skip
            self.tenant.seq = max(self.tenant.seq, seq)
            return True
        return False


class Asker(Client):
    """Searches, looks at entities and items over HTTP."""

    async def run(self, pace: Pace) -> None:
        while True:
            kind = self.chance.random()
            if kind < 0.4:
                await self._search(self.any_item())
            elif kind < 0.7:
                await self._entity(self.any_item())
            else:
                await self._item(self.any_item())
            await self.pause(pace.ask_s)

    async def _search(self, item: Item) -> None:
        demanded = self.tenant.seq if self.chance.random() < 0.5 else 0
        operation = self.begun("search", item=item.name, min_seq=demanded, wanted=item.name)
        body: dict[str, Any] = {
            "query": f"How does {item.external_id} stand?",
            "limit": 10,
            "entity": {"type": item.entity_type, "key": item.external_id},
        }
        if demanded:
            body["min_seq"] = demanded
        answer = await self.asked(operation, "POST", "/v1/search", json=body)
        if answer is None:
            return
        if answer.status_code != HTTPStatus.OK:
            self.note(operation, out="fail", why=str(answer.status_code))
            return
        told = answer.json()
        self.note(
            operation, out="ok", seq=told["seq"], saw=seen_in_search(told), missing=tuple(told["missing"])
        )

    async def _entity(self, item: Item) -> None:
        entity = ids.entity_id(self.tenant.tenant_id, item.entity_type, item.external_id)
        demanded = self.tenant.seq if self.chance.random() < 0.5 else 0
        operation = self.begun("entity", item=item.name, min_seq=demanded, wanted=item.name)
        parameters = {"min_seq": demanded} if demanded else {}
        answer = await self.asked(operation, "GET", f"/v1/entities/{entity}", params=parameters)
        if answer is None:
            return
        if answer.status_code == HTTPStatus.NOT_FOUND:
            self.note(operation, out="ok")
            return
        if answer.status_code != HTTPStatus.OK:
            self.note(operation, out="fail", why=str(answer.status_code))
            return
        told = answer.json()
        self.note(operation, out="ok", seq=told["seq"], saw=seen_in_facts(told["facts"]))

    async def _item(self, item: Item) -> None:
        operation = self.begun("item", item=item.name)
        answer = await self.asked(operation, "GET", f"/v1/items/{self.tenant.item_id(item)}")
        if answer is None:
            return
        if answer.status_code == HTTPStatus.NOT_FOUND:
            self.note(operation, out="ok")
            return
        told = answer.json()
        as_of = datetime.fromisoformat(told["as_of"]).astimezone(UTC).isoformat()
        self.note(operation, out="ok", version=told["version"], as_of=as_of)


class Reader(Client):
    """Reads items with the product's own code in this process, through the links."""

    def __init__(self, *args: Any, memory: Memory, **options: Any) -> None:
        super().__init__(*args, **options)
        self._memory = memory

    async def run(self, pace: Pace) -> None:
        while True:
            item = self.any_item()
            operation = self.begun("item", item=item.name)
            try:
                view = await self._memory.retrieval.item(self.tenant.tenant_id, self.tenant.item_id(item))
            except ItemNotFound:
                self.note(operation, out="ok")
            except ApexError as exc:
                self.note(operation, out="fail", why=type(exc).__name__)
            else:
                as_of = view.as_of.astimezone(UTC).isoformat()
                self.note(operation, out="ok", version=view.version, as_of=as_of)
            await self.pause(pace.read_s)


@dataclass(frozen=True)
class Workload:
    """`probes`: a writer a tenant that does nothing by itself, for fresh writes after a fault."""

    tenants: Sequence[Tenant]
    probes: Sequence[Writer]
    _runs: Sequence[Coroutine[Any, Any, None]]
    _tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    def begin(self) -> None:
        self._tasks.extend(map(asyncio.ensure_future, self._runs))

    def raise_bugs(self) -> None:
        """A client ends only by a bug of its own, or by an answer that is none."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    async def stop(self) -> None:
        """Again and again: before Python 3.12 a driver may swallow a cancel that meets an answer."""
        if not self._tasks:
            for run in self._runs:
                run.close()
        running = set(self._tasks)
        while running:
            for task in running:
                task.cancel()
            _, running = await asyncio.wait(running, timeout=1.0)


@asynccontextmanager
async def at_work(
    settings: Settings, tenants: Sequence[Tenant], *, history: History, seed: str, pace: Pace
) -> AsyncGenerator[Workload, None]:
    """For each tenant three writers, a reader and two askers; they wait for `begin`."""
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(open_memory(settings))
        clock = Clock()
        runs: list[Coroutine[Any, Any, None]] = []
        probes: list[Writer] = []
        for tenant in tenants:
            limits = httpx.Limits(max_connections=16, keepalive_expiry=3.0)
            http = httpx.AsyncClient(
                base_url=settings.api_url, timeout=CLIENT_PATIENCE_S, trust_env=False, limits=limits
            )
            await stack.enter_async_context(http)

            def shared(proc: str, tenant: Tenant = tenant, http: httpx.AsyncClient = http) -> dict[str, Any]:
                chance = random.Random(f"{seed} {tenant.letter} {proc}")
                name = f"{proc}-{tenant.letter}"
                return {"proc": name, "tenant": tenant, "http": http, "history": history, "chance": chance}

            runs += [Writer(**shared(f"w{n}"), number=n, clock=clock).run(pace) for n in range(1, 4)]
            runs += [Asker(**shared(f"a{n}")).run(pace) for n in range(2)]
            runs += [Reader(**shared("r"), memory=memory).run(pace)]
            probes.append(Writer(**shared("probe"), number=9, clock=clock))
        workload = Workload(tenants, probes, runs)
        try:
            yield workload
        finally:
            await workload.stop()
