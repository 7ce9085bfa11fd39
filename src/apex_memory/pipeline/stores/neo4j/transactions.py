"""Work in, its result out, done in one transaction: contention is tried again, an outage gets its name."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeVar

from neo4j import READ_ACCESS, WRITE_ACCESS, AsyncDriver, AsyncTransaction, Query, Record
from neo4j.exceptions import (
    AuthError,
    ConnectionPoolError,
    DatabaseError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)

from apex_memory.domain.errors import StoreUnavailable

NAME: Final = "neo4j"
ATTEMPTS: Final = 8
BACKOFF_S: Final = 0.005

Parameters = dict[str, Any]
_Result = TypeVar("_Result")

# Another transaction was in the way: it held what this one wants, it removed an entity that nobody referred
# to any more, it made or kept what this one was about to make or remove, or it created the same index. The
# driver would retry only the first, and only after a second.
_CONTENTION: Final = (
    "Neo.TransientError.Transaction.DeadlockDetected",
    "Neo.ClientError.Statement.EntityNotFound",
    "Neo.ClientError.Schema.ConstraintValidationFailed",
    "Neo.ClientError.Schema.EquivalentSchemaRuleAlreadyExists",
)
#: Two nodes or relationships that a constraint does not allow are there already.
TWINS: Final = "Neo.DatabaseError.Schema.ConstraintCreationFailed"
_TIMED_OUT_ON_THE_SERVER: Final = "Neo.ClientError.Transaction.TransactionTimedOut"
_OUTAGES: Final = (
    AuthError,
    ConnectionPoolError,
    DatabaseError,
    ServiceUnavailable,
    SessionExpired,
    TransientError,
)


class EntityVanished(Exception):
    """A row met no entity where its transaction had just merged one: another transaction removed it."""


class Transactions:
    """One database. Its methods raise StoreUnavailable, or what is wrong with the statement."""

    def __init__(self, driver: AsyncDriver, *, deadline_s: float) -> None:
        self._driver = driver
        self._deadline_s = deadline_s

    async def write(self, work: Callable[[AsyncTransaction], Awaitable[_Result]]) -> _Result:
        """Do `work` in one transaction and commit it; in contention, from the start again."""
        with self._outages_named():
            async with asyncio.timeout(self._deadline_s):
                for attempt in range(ATTEMPTS):
                    try:
                        return await self._attempt(work)
                    except EntityVanished:
                        pass
                    except Neo4jError as exc:
                        if exc.code not in _CONTENTION:
                            raise
                    pause_s = random.uniform(0, BACKOFF_S * 2**attempt)  # noqa: S311 - no secret
                    await asyncio.sleep(pause_s)
        raise StoreUnavailable(NAME, f"contention outlasted {ATTEMPTS} attempts")

    async def read(self, query: LiteralString, parameters: Parameters) -> Sequence[Record]:
        """From any member of a cluster, which may lag behind the last write."""
        return await self._run(query, parameters, access=READ_ACCESS)

    async def read_written(self, query: LiteralString, parameters: Parameters) -> Sequence[Record]:
        """From the member that takes the writes: it holds what was acknowledged, whoever wrote it."""
        return await self._run(query, parameters, access=WRITE_ACCESS)

    async def _attempt(self, work: Callable[[AsyncTransaction], Awaitable[_Result]]) -> _Result:
        async with (
            self._driver.session() as session,  # pyright: ignore[reportUnknownMemberType] - untyped options
            # The server gives up as well: a client that was cut off must not leave its locks behind.
            await session.begin_transaction(timeout=self._deadline_s) as transaction,
        ):
            result = await work(transaction)
            await transaction.commit()
        return result

    async def _run(self, query: LiteralString, parameters: Parameters, *, access: str) -> Sequence[Record]:
        with self._outages_named():
            async with (
                asyncio.timeout(self._deadline_s),
                self._driver.session(default_access_mode=access) as session,  # pyright: ignore[reportUnknownMemberType] - as above
            ):
                answer = await session.run(Query(query, timeout=self._deadline_s), parameters)
                return [record async for record in answer]

    @contextmanager
    def _outages_named(self) -> Generator[None]:
        try:
            yield
        except TimeoutError as exc:
            raise StoreUnavailable(NAME, f"no answer within {self._deadline_s:g} s") from exc
        except _OUTAGES as exc:
            raise StoreUnavailable(NAME, str(exc)) from exc
        except Neo4jError as exc:
            if not (exc.code or "").startswith(_TIMED_OUT_ON_THE_SERVER):
                raise
            raise StoreUnavailable(NAME, str(exc)) from exc
