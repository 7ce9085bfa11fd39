"""Settings in, one process whose logs and metrics can be read out."""

import logging
import sys
from functools import cache

import structlog
from temporalio.runtime import LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter

from apex_memory.settings import Settings


def configure_logging(settings: Settings, *, process: str) -> None:
    """One event a line on standard error: JSON, or coloured text for a person; standard logging joins in."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    renderer = structlog.processors.JSONRenderer() if settings.log_json else structlog.dev.ConsoleRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structured = logging.StreamHandler(sys.stderr)
    structured.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[structured], force=True)
    structlog.contextvars.bind_contextvars(process=process)


@cache
def temporal_runtime(metrics_address: str) -> Runtime:
    """One a process. Where there is an address, the SDK's metrics are served in Prometheus' format."""
    metrics = PrometheusConfig(bind_address=metrics_address, durations_as_seconds=True)
    telemetry = TelemetryConfig(
        logging=LoggingConfig(filter=TelemetryFilter(core_level="ERROR", other_level="ERROR")),
        metrics=metrics if metrics_address else None,
    )
    return Runtime(telemetry=telemetry)
