"""One thing to send in, how it fared out; many at a time, and none of them stops the others."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from uuid import UUID

from apex_memory.api.models import IngestionAccepted
from apex_memory.cli.board import Board
from apex_memory.cli.client import ApexClient
from apex_memory.cli.failures import ApiRefused, ApiUnavailable
from apex_memory.cli.uploads import DocumentToSend, ToSend
from apex_memory.domain.ledger import Outcome

#: Posted at a time: each holds its file in memory. Followed at a time: each holds a connection.
_POSTING: Final = 8
_FOLLOWING: Final = 64
#: An ingestion may wait for hours while a store is down; someone at a terminal does not.
_FOLLOW_S: Final = 300.0
_KEPT: Final = frozenset({Outcome.COMMITTED, Outcome.UNCHANGED, Outcome.SUPERSEDED})


@dataclass(frozen=True)
class Result:
    """The outcome of an ingestion, or why there is none yet, such as `refused` or `not sent`."""

    name: str
    outcome: str
    reason: str = ""

    @property
    def kept(self) -> bool:
        return self.outcome in _KEPT


class Sender:
    """Sends through one client, notes progress on one board."""

    def __init__(
        self, client: ApexClient, board: Board, *, source: str | None, max_document_bytes: int
    ) -> None:
        self._client = client
        self._board = board
        self._source = source
        self._max_document_bytes = max_document_bytes
        self._posting = asyncio.Semaphore(_POSTING)
        self._following = asyncio.Semaphore(_FOLLOWING)

    async def send(self, thing: ToSend) -> Result:
        async with self._following:
            try:
                async with self._posting:
                    accepted = await self._post(thing)
            except ApiRefused as exc:
                return Result(thing.name, "refused", str(exc))
            except ApiUnavailable as exc:
                return Result(thing.name, "not sent", exc.reason)
            except OSError as exc:
                return Result(thing.name, "not sent", f"cannot be read: {exc.strerror}")
            self._board.sent()
            return await self._followed(thing, accepted.ingestion_id)

    async def _post(self, thing: ToSend) -> IngestionAccepted:
        if not isinstance(thing, DocumentToSend):
            return await self._client.send_record(thing.source, thing.record)
        # Told from here: a server that refuses in the middle of an upload looks like a broken connection.
        size = thing.path.stat().st_size
        if size > self._max_document_bytes:
            detail = f"it has {size} bytes; at most {self._max_document_bytes} are taken"
            raise ApiRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Too large", detail)
        data = await asyncio.to_thread(thing.path.read_bytes)
        return await self._client.send_document(
            thing.path.name, data, external_id=thing.name, source=self._source
        )

    async def _followed(self, thing: ToSend, ingestion_id: UUID) -> Result:
        try:
            status = await self._client.settled(ingestion_id, timeout_s=_FOLLOW_S)
        except ApiUnavailable as exc:
            return Result(
                thing.name, "kept, end unknown", f"`apex status {ingestion_id}` tells it; {exc.reason}"
            )
        if status.outcome is None:
            return Result(thing.name, "still running", f"`apex status {ingestion_id}` tells its end")
        result = Result(thing.name, status.outcome, status.reason or "")
        if result.kept:
            self._board.findable()
        return result
