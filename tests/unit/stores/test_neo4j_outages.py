"""What the graph driver raises: an outage is told from a fault of ours."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from neo4j import AsyncDriver
from neo4j.exceptions import ClientError, ServiceUnavailable

from apex_memory.domain.errors import StoreUnavailable
from apex_memory.pipeline.stores.neo4j.transactions import Transactions


class _Raising:
    """A driver each of whose sessions ends in the same way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    @asynccontextmanager
    async def session(self, **_options: object) -> AsyncGenerator[None, None]:
        raise self._error
        yield


def _over(error: Exception) -> Transactions:
    return Transactions(cast("AsyncDriver", _Raising(error)), deadline_s=5)


async def test_an_outage_is_store_unavailable() -> None:
    with pytest.raises(StoreUnavailable, match="neo4j"):
        await _over(ServiceUnavailable("refused")).read("RETURN 1", {})


@pytest.mark.parametrize("error", [ClientError("a wrong statement"), RuntimeError("a bug")], ids=repr)
async def test_a_fault_of_ours_is_not_hidden(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        await _over(error).read("RETURN 1", {})

    assert caught.value is error
