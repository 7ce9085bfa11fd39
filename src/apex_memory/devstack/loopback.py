"""Names in, free TCP ports of the loopback interface out, the same ones again where that is possible."""

import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

HOST: Final = "127.0.0.1"
_LOWEST: Final = 15000
_EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def assign_ports(names: Iterable[str], *, kept: Mapping[str, int]) -> dict[str, int]:
    """A port each; a kept port stays unless someone else listens on it now."""
    assigned: dict[str, int] = {}
    for name in names:
        port = kept.get(name, 0)
        while port == 0 or port in assigned.values() or not is_free(port):
            port = _candidate()
        assigned[name] = port
    return assigned


def is_free(port: int) -> bool:
    with closing(socket.socket()) as probe:
        # As servers do: connections in TIME_WAIT, left by the service's former life, do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _candidate() -> int:
    """A port below the range from which the kernel serves outgoing connections.

    A port inside it may be taken by any client while its service restarts; worse, a client that retries
    against the dead service can be given that very port, connects to itself, and keeps the service away.
    """
    lowest_ephemeral = int(_EPHEMERAL.read_text().split()[0])
    if lowest_ephemeral > _LOWEST:
        return random.randrange(_LOWEST, lowest_ephemeral)  # noqa: S311 - not a secret
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
