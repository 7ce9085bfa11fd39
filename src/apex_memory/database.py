"""A PostgreSQL URL in, pooled connections out; the driver's errors come out as ours."""

import asyncio
import select
from collections import defaultdict
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import psycopg
import structlog
from psycopg import AsyncConnection, sql
from psycopg.adapt import AdaptersMap
from psycopg.rows import DictRow, dict_row
from psycopg.types.array import ListBinaryDumper
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from apex_memory.domain.bundles import VersionRef
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.process import beside

Connection = AsyncConnection[DictRow]

_STORE: Final = "postgres"
_ACQUIRE_TIMEOUT_S: Final = 5.0
#: A statement that takes longer is stuck: the whole path of an event is a few milliseconds of SQL.
_STATEMENT_TIMEOUT: Final = "30s"
_RECONNECT_S: Final = 0.5
_GIVE_UP_S: Final = 2.0

log = structlog.get_logger()


class Database:
    """Connections to PostgreSQL. Single statements commit by themselves; `transaction` groups them."""

    def __init__(self, pool: AsyncConnectionPool[Connection], *, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection, None]:
        """Raises StoreUnavailable: no connection, or it broke; what was sent may or may not have happened."""
        try:
            async with self._pool.connection(timeout=self._acquire_timeout_s) as connection:
                yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, PoolClosed) as exc:
            raise StoreUnavailable(_STORE, str(exc).strip() or type(exc).__name__) from exc

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """All or nothing. A StoreUnavailable at its end leaves the outcome unknown: read it again."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def ping(self) -> None:
        async with self.connection() as connection:
            await connection.execute("SELECT 1")


@asynccontextmanager
async def open_database(
    url: str, *, max_size: int = 8, acquire_timeout_s: float = _ACQUIRE_TIMEOUT_S
) -> AsyncGenerator[Database, None]:
    """Open a pool; a server that is down now is waited for at the first use."""
    pool = AsyncConnectionPool[Connection](
        url,
        min_size=1,
        max_size=max_size,
        open=False,
        # Spares each caller the broken connections after a restart of the server.
        check=_check,
        # By default its pauses grow to minutes, and an hour's outage lasts up to an hour longer; after this a
        # caller's demand begins anew.
        reconnect_timeout=_GIVE_UP_S,
        kwargs=_connection_options(),
    )
    await pool.open(wait=False)
    try:
        yield Database(pool, acquire_timeout_s=acquire_timeout_s)
    finally:
        await pool.close()


class Listener:
    """One connection that listens on a channel and wakes whoever waits for a payload."""

    def __init__(self, url: str, channel: str) -> None:
        self._url = url
        self._channel = channel
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @contextmanager
    def waiting_for(self, payload: str) -> Generator[asyncio.Event, None]:
        """An event that is set by every notification with this payload, and after a lost connection."""
        event = asyncio.Event()
        self._waiting[payload].add(event)
        try:
            yield event
        finally:
            self._waiting[payload].discard(event)
            if not self._waiting[payload]:
                del self._waiting[payload]

    def wake(self, payload: str) -> None:
        """What a notification with this payload does."""
        for event in tuple(self._waiting.get(payload, ())):
            event.set()

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except psycopg.Error as exc:
                log.warning("listener.lost", channel=self._channel, error=str(exc).strip())
            # Notifications sent while nobody listened are gone: let everyone look for themselves.
            self._wake_all()
            await asyncio.sleep(_RECONNECT_S)

    async def _listen(self) -> None:
        connection = await AsyncConnection[DictRow].connect(self._url, **_connection_options())
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self._wake_all()
            async for notification in connection.notifies():
                self.wake(notification.payload)

    def _wake_all(self) -> None:
        for payload in tuple(self._waiting):
            self.wake(payload)


@asynccontextmanager
async def open_listener(url: str, channel: str) -> AsyncGenerator[Listener, None]:
    """A listener that runs beside its caller."""
    listener = Listener(url, channel)
    async with beside(listener.run(), name=f"listen {channel}"):
        yield listener


def columns_of(versions: Iterable[VersionRef]) -> dict[str, Any]:
    """As the parameters `items` and `versions` of a statement: two columns for `unnest`."""
    refs = tuple(versions)
    return {"items": [r.item_id for r in refs], "versions": [r.version for r in refs]}


def ref_of(row: Mapping[str, Any]) -> VersionRef:
    """The version that a row is of, by its columns `item_id` and `version`."""
    return VersionRef(item_id=row["item_id"], version=row["version"])


async def _check(connection: Connection) -> None:
    """Without a round trip: a server that is not asked says nothing, but one that ended has closed."""
    socket = select.poll()
    socket.register(connection.fileno(), select.POLLIN)
    if socket.poll(0):
        await connection.close()  # or the pool would keep it, and hand it out again
        raise psycopg.OperationalError("the server has closed the connection")


def _adapters() -> AdaptersMap:
    adapters = AdaptersMap(psycopg.adapters)
    # As text, which is the default, an array is escaped in Python: 1.8 ms for each vector of 384 numbers.
    adapters.register_dumper(list, ListBinaryDumper)
    return adapters


def _connection_options() -> dict[str, Any]:
    return {
        "autocommit": True,
        "context": _adapters(),
        "row_factory": dict_row,
        "connect_timeout": 5,
        "options": f"-c statement_timeout={_STATEMENT_TIMEOUT} -c idle_in_transaction_session_timeout=60s",
    }
