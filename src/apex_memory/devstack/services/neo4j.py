"""A site in, Neo4j Community out: started from its jars, without a password, on loopback only."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Final

from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import HOST
from apex_memory.devstack.probes import neo4j_answers
from apex_memory.devstack.service import Service
from apex_memory.devstack.site import Site

NAME: Final = "neo4j"
JVM: Final = (
    "-Xms256m",
    "-Xmx768m",
    "-XX:+UseG1GC",
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:+TrustFinalNonStaticFields",
    "-XX:+ExitOnOutOfMemoryError",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "-Dlog4j2.disable.jmx=true",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)


def neo4j(site: Site) -> Service:
    home = site.directory(NAME)

    async def prepare() -> None:
        write_configuration(home, site.ports[NAME])

    return Service(
        name=NAME,
        prepare=prepare,
        command=neo4j_command(site.installation, home, extra=_archive(site.installation)),
        environment=site.environment,
        directory=site.home.data,
        ready=partial(answers, site),
        deadline_s=120,  # 5 s; 13 s on a busy machine; 22 to 32 s when it has to recover as well
        stop_deadline_s=30,
    )


async def answers(site: Site) -> None:
    """With the credentials in the environment, for a Neo4j given by URL; our own asks for none."""
    password = site.environment.get("APEX_NEO4J_PASSWORD")
    user = site.environment.get("APEX_NEO4J_USER", "neo4j")
    await neo4j_answers(site.endpoints.neo4j_url, auth=(user, password) if password else None)


def neo4j_command(installation: Installation, home: Path, *, extra: Iterable[str] = ()) -> tuple[str, ...]:
    return (
        str(installation.java()),
        *JVM,
        *extra,
        "-cp",
        f"{installation.neo4j_jars()}/*",
        "org.neo4j.server.CommunityEntryPoint",
        f"--home-dir={home}",
        f"--config-dir={home / 'conf'}",
        "--console-mode",
    )


def write_configuration(home: Path, port: int) -> None:
    """`conf/neo4j.conf`, all that Neo4j needs in its home."""
    settings = {
        "server.default_listen_address": HOST,
        "server.bolt.listen_address": f"{HOST}:{port}",
        "server.bolt.advertised_address": f"{HOST}:{port}",
        "server.http.enabled": "false",
        "server.https.enabled": "false",
        "dbms.security.auth_enabled": "false",
        "server.directories.data": f"{home}/data",
        "server.directories.logs": f"{home}/logs",
        "server.directories.run": f"{home}/run",
        "server.directories.plugins": f"{home}/plugins",
        "server.directories.import": f"{home}/import",
        "server.directories.transaction.logs.root": f"{home}/data/transactions",
        "server.memory.pagecache.size": "128m",
        "db.tx_log.rotation.retention_policy": "keep_none",
        "db.tx_log.preallocate": "false",
        "dbms.usage_report.enabled": "false",
        # Its default of 5 s, waited twice, would be 10 of the 10.3 s that a stop takes.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
    }
    (home / "conf").mkdir(parents=True, exist_ok=True)
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    (home / "conf" / "neo4j.conf").write_text(text)


def _archive(installation: Installation) -> list[str]:
    """Parsed classes, which halve the start; Java ignores an archive of another Java or of other jars."""
    archive = installation.neo4j_archive_file
    return [f"-XX:SharedArchiveFile={archive}"] if archive.exists() else []
