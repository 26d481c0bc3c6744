"""One machine of the cluster: etcd and Patroni, which starts PostgreSQL. All run on loopback with own ports, as a user that is not root."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tillsync_server.adapters.postgres.embedded import launcher
from tillsync_server.adapters.postgres.embedded.environment import program_environment
from tillsync_server.adapters.postgres.embedded.identity import run_as

PATRONI, ETCD, HAPROXY = Path("/usr/bin/patroni"), Path("/usr/bin/etcd"), Path("/usr/sbin/haproxy")
PROGRAMS = (PATRONI, ETCD, HAPROXY, Path("/usr/lib/postgresql/15/bin/postgres"))


def free_ports(count: int) -> list[int]:
    """Ports of loopback that no program listens on."""
    with contextlib.ExitStack() as stack:
        made = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in made:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in made]


def own_directory(path: Path) -> Path:
    """Makes ``path`` for the user of the cluster's programs."""
    path.mkdir(mode=0o700)
    user = run_as()
    os.chown(path, user.uid, user.gid)
    return path


def start_program(arguments: Sequence[str], log: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Starts a program as the user of the embedded PostgreSQL. It gets SIGINT when this process dies."""
    user = run_as()
    uid, gid = (user.uid, user.gid) if user.drops else (-1, -1)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-I", launcher.__file__, str(os.getpid()), str(uid), str(gid), *arguments],
            env=program_environment() | variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


@dataclass
class Machine:
    """``directory`` keeps its data, its configuration and its logs while the machine is dead."""

    name: str
    directory: Path
    client_port: int
    peer_port: int
    rest_port: int
    database_port: int
    configuration: str = ""
    """The text of patroni.yml."""
    etcd_variables: dict[str, str] = field(default_factory=dict)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def data_directory(self) -> Path:
        return self.directory / "postgres"

    @property
    def patroni_log(self) -> Path:
        return self.directory / "patroni.log"

    def start(self) -> None:
        settings = self.directory / "patroni.yml"
        settings.write_text(self.configuration, encoding="utf-8")
        etcd = [str(ETCD), "--data-dir", str(self.directory / "etcd"), "--logger", "zap"]
        self._processes = [
            start_program(etcd, self.directory / "etcd.log", **self.etcd_variables),
            start_program([str(PATRONI), str(settings)], self.patroni_log, HOME=str(self.directory)),
        ]

    def kill(self) -> None:
        """Kills etcd, Patroni and every process of PostgreSQL at once, as a loss of power does."""
        processes = self._all_processes()
        for sent in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that no process notices the end of another
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(sent)
        psutil.wait_procs(processes, timeout=10)
        for started in self._processes:
            started.wait(timeout=10)
        self._processes = []

    def _all_processes(self) -> list[psutil.Process]:
        """Patroni comes first, because it starts the others. PostgreSQL is no descendant of Patroni, so its pid file names it."""
        found = [psutil.Process(started.pid) for started in reversed(self._processes) if started.poll() is None]
        with contextlib.suppress(FileNotFoundError, psutil.NoSuchProcess, IndexError, ValueError):
            postmaster = psutil.Process(int((self.data_directory / "postmaster.pid").read_text().splitlines()[0]))
            if str(self.data_directory) in " ".join(postmaster.cmdline()):
                found.append(postmaster)
        return [*found, *(child for process in found for child in process.children(recursive=True))]
