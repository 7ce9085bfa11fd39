"""A demonstration's report in, what a person or a program reads of it out."""

from typing import Any, Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from apex_memory.cli.demo_run import DemoReport
from apex_memory.cli.joining import chain_to
from apex_memory.cli.pages import facts_table, hits_table
from apex_memory.domain.answers import FactView
from apex_memory.domain.ids import entity_key

_FACTS_SHOWN: Final = 10


def print_report(report: DemoReport, *, docs_url: str) -> None:
    console = Console(highlight=False)
    console.print(_items_table(report))
    console.print(f"\n[bold]? {escape(report.question)}[/]\n")
    for fact in _joined(report):
        console.print(f"  [green]→[/] {escape(fact.fact)} [dim]({escape(fact.source)})[/]")
    console.print()
    console.print(hits_table(report.answer.hits))
    around = report.around_shipment
    shown = around.facts[:_FACTS_SHOWN]
    console.print(facts_table(shown, title=f"Around {escape(around.entity.name)}"))
    links = Console(highlight=False, soft_wrap=True)
    links.print(f"\nOne of its workflows: {report.temporal_url or 'no Temporal UI is configured'}")
    links.print(f"The API:              {docs_url}")


def report_as_json(report: DemoReport, *, docs_url: str) -> dict[str, Any]:
    items = [
        {
            "source": one.status.source,
            "external_id": one.status.label,
            "outcome": one.status.outcome,
            "searchable_ms": round(one.searchable_ms, 1),
        }
        for one in report.found
    ]
    shown = {"source", "external_id", "title", "text", "score"}
    hits = [hit.model_dump(mode="json", include=shown) for hit in report.answer.hits]
    return {
        "items": items,
        "search": {"query": report.question, "hits": hits, "facts": _facts(report.answer.facts)},
        "graph": _facts(report.around_shipment.facts),
        "temporal_ui": report.temporal_url,
        "api": docs_url,
    }


def _joined(report: DemoReport) -> list[FactView]:
    """The chain of facts from what the best hit is itself to a customer; no rule of any source draws it."""
    return [
        fact
        for hit in report.answer.hits[:1]
        for itself in hit.entities
        if entity_key(itself.key) == entity_key(hit.external_id)
        for fact in chain_to("customer", report.answer.facts, start=itself.entity_id)
    ]


def _items_table(report: DemoReport) -> Table:
    table = Table(
        box=None, title="Sent and found again", title_justify="left", title_style="bold", pad_edge=False
    )
    table.add_column("source", style="dim")
    table.add_column("item", style="cyan")
    table.add_column("outcome")
    table.add_column("searchable after", justify="right")
    for one in report.found:
        table.add_row(one.status.source, one.status.label, one.status.outcome, f"{one.searchable_ms:.0f} ms")
    return table


def _facts(facts: tuple[FactView, ...]) -> list[dict[str, Any]]:
    return [
        {
            "subject": fact.subject.name,
            "predicate": fact.predicate,
            "object": fact.object.name if fact.object else fact.value,
            "fact": fact.fact,
            "source": fact.source,
            "external_id": fact.external_id,
        }
        for fact in facts
    ]
