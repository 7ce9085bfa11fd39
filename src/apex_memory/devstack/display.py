"""States and findings in, lines and tables on a terminal out."""

from collections.abc import Iterable

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table

from apex_memory.devstack.doctor import Finding
from apex_memory.devstack.health import ServiceHealth
from apex_memory.devstack.state import UP, Phase, StackState


class Progress:
    """One line for each service that got ready; the others are named beside a spinner."""

    def __init__(self, console: Console, status: Status) -> None:
        self._console = console
        self._status = status
        self._shown: set[str] = set()

    def observe(self, state: StackState) -> None:
        for name, service in state.services.items():
            if service.phase in UP and name not in self._shown:
                self._shown.add(name)
                how = "answers (given by URL)" if service.phase is Phase.EXTERNAL else f"{service.phase}"
                self._console.print(f"[green]✓[/] {name:<18} {service.took_s or 0:6.1f} s  {how}")
        waited_for = [name for name, service in state.services.items() if service.phase not in UP]
        self._status.update(f"waiting for {', '.join(waited_for)}" if waited_for else "ready")


def status_table(healths: Iterable[ServiceHealth]) -> Table:
    table = Table("service", "phase", "pid", "port", "uptime", "restarts", "health", box=None, pad_edge=False)
    for health in healths:
        table.add_row(
            health.name,
            str(health.phase),
            str(health.pid or ""),
            str(health.port or ""),
            _duration(health.uptime_s),
            str(health.restarts or ""),
            _health(health),
        )
    return table


def findings_table(findings: Iterable[Finding]) -> Table:
    table = Table("", "what", "found", "do", box=None, pad_edge=False)
    for finding in findings:
        mark = "[red]✗[/]" if finding.remedy else "[green]✓[/]"
        table.add_row(mark, finding.subject, finding.said, finding.remedy)
    return table


def _health(health: ServiceHealth) -> str:
    if not health.healthy:
        return f"[red]{escape(health.said)}[/]"
    return "" if health.phase is Phase.DONE else "[green]answers[/]"


def _duration(seconds: float) -> str:
    if not seconds:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
