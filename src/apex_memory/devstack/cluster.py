"""A template and a password in, a PostgreSQL cluster that can be started out."""

import asyncio
import hashlib
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from apex_memory.devstack.places import make_directory
from apex_memory.devstack.processes import ProcessIdentity, identify, stop
from apex_memory.devstack.service import Account, ServiceFailed

OUTPUT_BYTES: Final = 2000
_HBA: Final = "# Passwords only, and only from this machine.\nhost all all 127.0.0.1/32 scram-sha-256\n"


@dataclass(frozen=True)
class Cluster:
    """The directories and programs of one cluster; `account` runs the programs where root may not."""

    data: Path
    template: Path
    programs: Path
    account: Account | None
    password: str

    async def prepare(self) -> None:
        """Make the cluster unless it is there; mend what a kill or a reboot left. Repeatable.

        Raises:
            ServiceFailed: with what PostgreSQL's programs said.
        """
        if not self.data.exists():
            await self._make_template()
            await self._copy_template()
        leftover = _holder(self.data)
        if leftover:
            await stop(leftover, first=signal.SIGINT)
        await self._set_password()

    async def _copy_template(self) -> None:
        make_directory(self.data.parent)
        draft = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        await _run("cp", "-a", str(self.template), str(draft), account=None)
        # On disk before it counts: from here on the cluster is never made again.
        await _run("sync", "--file-system", str(draft), account=None)
        draft.rename(self.data)

    async def _set_password(self) -> None:
        """Unless the cluster knows it. Home and cluster may be apart, and one of them be made anew."""
        known = self.data / "apex-password.sha256"
        digest = hashlib.sha256(self.password.encode()).hexdigest()
        if not known.exists() or known.read_text() != digest:
            await self._single_user(self.data, f"ALTER ROLE apex PASSWORD '{self.password}'")
            known.write_text(digest)

    async def _make_template(self) -> None:
        """Once for all homes of an installation: initdb takes a second, a copy a tenth."""
        if self.template.exists():
            return
        draft = self.template.with_name(f"{self.template.name}.{os.getpid()}")
        password = draft.with_name(f"{draft.name}.password")
        try:
            self._make_private(draft, password)
            await self._init(draft, password)
            with suppress(OSError):  # another stack was quicker; both made the same
                draft.rename(self.template)
        finally:
            password.unlink(missing_ok=True)
            shutil.rmtree(draft, ignore_errors=True)

    async def _init(self, data: Path, password: Path) -> None:
        # fmt: off
        await self._as_account(
            str(self.programs / "initdb"),
            "--pgdata", str(data),
            "--username", "apex",
            "--auth", "scram-sha-256",
            "--pwfile", str(password),
            "--encoding", "UTF8",
            "--locale", "C.UTF-8",
            "--no-sync",
        )
        # fmt: on
        (data / "pg_hba.conf").write_text(_HBA)
        await self._single_user(data, "CREATE DATABASE apex")

    def _make_private(self, directory: Path, password: Path) -> None:
        make_directory(directory.parent)
        directory.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text("replaced in each copy\n")
        if self.account:
            os.chown(directory, self.account.uid, self.account.gid)
            os.chown(password, self.account.uid, self.account.gid)

    async def _single_user(self, data: Path, statement: str) -> None:
        """A statement for a cluster that does not run; asks for no password."""
        server = str(self.programs / "postgres")
        await self._as_account(server, "--single", "-D", str(data), "postgres", said=f"{statement}\n")

    async def _as_account(self, *command: str, said: str = "") -> None:
        await _run(*command, account=self.account, said=said)


def _holder(data: Path) -> ProcessIdentity | None:
    """A postmaster that still runs in this very directory; a pid file that names anything else is removed.

    PostgreSQL only asks whether the pid in the file exists. After a reboot, or in a container, where pids are
    small, it may be any program, and PostgreSQL would refuse to start for ever.
    """
    pid_file = data / "postmaster.pid"
    if not pid_file.exists():
        return None
    holder = identify(int(pid_file.read_text().splitlines()[0]))
    if holder and Path(f"/proc/{holder.pid}/cwd").resolve() == data.resolve():
        return holder
    pid_file.unlink()
    return None


async def _run(*command: str, account: Account | None, said: str = "") -> None:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        output, _ = await process.communicate(said.encode())
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        words = output.decode(errors="replace").strip()[-OUTPUT_BYTES:]
        raise ServiceFailed("postgres", f"{command[0]} said: {words}")
