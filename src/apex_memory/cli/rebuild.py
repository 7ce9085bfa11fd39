"""The name of a lost store in, the same store filled again from PostgreSQL out: `apex rebuild`."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from apex_memory.cli.failures import reported


class Lost(StrEnum):
    """What can be rebuilt. PostgreSQL is what it is rebuilt from; Redis fills itself."""

    QDRANT = "qdrant"
    NEO4J = "neo4j"


def rebuild(
    store: Annotated[Lost, typer.Option(help="The store that lost something, or everything.")],
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's; without it, everybody's.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Write all that a store should hold, from PostgreSQL, without a model call; then compare the two.

    Searches go on meanwhile and name the store in [cyan]missing[/]. Ctrl-C ends the waiting only; run
    again, it joins what is under way. Ends with 1 if a difference is left.

    Examples: [cyan]apex rebuild --store qdrant[/]   [cyan]apex rebuild --store neo4j --tenant demo[/]
    """
    with reported():
        from apex_memory.cli.rebuild_run import run

        whole = asyncio.run(run(store, tenant_id=tenant, as_json=as_json))
    if not whole:
        raise typer.Exit(1)
