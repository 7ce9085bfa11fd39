"""A site in, PostgreSQL out: a private cluster, role and database `apex`, on the loopback interface only."""

import os
import pwd
import signal
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from apex_memory.devstack.cluster import Cluster
from apex_memory.devstack.installation import program_version
from apex_memory.devstack.places import POSTGRES, TEMPLATES
from apex_memory.devstack.probes import postgres_answers
from apex_memory.devstack.service import Account, Service
from apex_memory.devstack.site import Site
from apex_memory.domain.errors import DependencyMissing

SETTINGS: Final = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",  # in a path of more than 107 bytes it would not start, and nobody needs one
    "fsync=on",
    "synchronous_commit=on",
    "max_connections=200",
    "shared_buffers=128MB",
)


def postgres(site: Site) -> Service:
    programs = site.installation.postgres()
    account = postgres_account()
    version = program_version(programs / "postgres")
    cluster = Cluster(
        data=site.directory(POSTGRES),
        template=site.directory(TEMPLATES) / f"{version}-{os.geteuid()}",
        programs=programs,
        account=account,
        password=urlsplit(site.endpoints.postgres_url).password or "",
    )
    options = [part for setting in SETTINGS for part in ("-c", setting)]
    moved = not cluster.data.is_relative_to(site.home.root)
    return Service(
        name=POSTGRES,
        prepare=cluster.prepare,
        command=(
            str(programs / "postgres"),
            "-D",
            str(cluster.data),
            "-p",
            str(site.ports[POSTGRES]),
            *options,
        ),
        environment=site.environment,
        directory=cluster.data,
        account=account,
        ready=partial(answers, site),
        attempts=0,  # after a kill -9 it may refuse for a moment: "pre-existing shared memory block"
        deadline_s=30,
        stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave
        endpoints={"PostgreSQL's data, as the user postgres cannot reach the home": str(cluster.data)}
        if moved
        else {},
    )


async def answers(site: Site) -> None:
    await postgres_answers(site.endpoints.postgres_url)


def postgres_account() -> Account | None:
    """PostgreSQL refuses to run as root: then it runs as the user that Debian's package creates."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("postgres")
    except KeyError as exc:
        remedy = "adduser --system --group --home /var/lib/postgresql postgres"
        raise DependencyMissing("the user postgres, as root cannot run PostgreSQL", remedy) from exc
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)
