"""Hits and facts in, tables for a terminal out."""

from collections.abc import Sequence
from typing import Final

from rich.markup import escape
from rich.table import Table

from apex_memory.domain.answers import EntityView, FactView, Hit

_EXCERPT_CHARS: Final = 220


def hits_table(hits: Sequence[Hit]) -> Table:
    table = Table(box=None, title="Passages", title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("score", justify="right", style="dim")
    table.add_column("item", style="cyan", max_width=36)
    table.add_column("text")
    for hit in hits:
        item = f"{hit.title}\n[dim]{escape(hit.source)}[/]" if hit.title else hit.external_id
        table.add_row(f"{hit.score:.2f}", item, escape(_excerpt(hit.text)))
    return table


def facts_table(facts: Sequence[FactView], *, title: str = "Facts") -> Table:
    """Subject, predicate, object: the same entity in two rows is what joins them."""
    table = Table(box=None, title=title, title_justify="left", title_style="bold", pad_edge=False)
    table.add_column("subject", style="cyan")
    table.add_column("says", style="dim")
    table.add_column("object", style="cyan")
    table.add_column("from", style="dim")
    for fact in facts:
        table.add_row(
            _named(fact.subject),
            escape(fact.predicate.replace("_", " ")),
            _named(fact.object) if fact.object else escape(fact.value or ""),
            escape(fact.source),
        )
    return table


def _named(entity: EntityView) -> str:
    return escape(entity.name)


def _excerpt(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXCERPT_CHARS else f"{flat[:_EXCERPT_CHARS]}…"
