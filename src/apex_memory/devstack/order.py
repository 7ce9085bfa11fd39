"""Services in, layers out: what a service needs stands in an earlier layer."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from apex_memory.devstack.service import Service, ServiceFailed


def layers(services: Iterable[Service]) -> list[tuple[str, ...]]:
    """Names, layer by layer; a dependency that is not among the services counts as met.

    Raises:
        ServiceFailed: services wait for each other.
    """
    named = {service.name: service for service in services}
    sorter = TopologicalSorter(
        {name: [dep for dep in service.deps if dep in named] for name, service in named.items()}
    )
    try:
        sorter.prepare()
    except CycleError as exc:
        ring: list[str] = exc.args[1]
        raise ServiceFailed(ring[0], f"services wait for each other: {' → '.join(ring)}") from exc
    result: list[tuple[str, ...]] = []
    while sorter.is_active():
        layer = sorter.get_ready()
        result.append(tuple(sorted(layer)))
        sorter.done(*layer)
    return result
