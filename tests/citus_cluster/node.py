"""One PostgreSQL server with Citus, on a port of loopback. Its data stay while it is dead."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from ha.machine import own_directory, start_program
from tillsync_server.adapters.postgres.embedded.environment import program_environment
from tillsync_server.adapters.postgres.embedded.identity import run_as

SUPERUSER = "postgres"


@dataclass
class Node:
    name: str
    directory: Path
    programs: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    _process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Makes an empty cluster, which trusts connections of loopback. Raises RuntimeError with initdb's words."""
        own_directory(self.directory)
        user = run_as()
        drop = {"user": user.uid, "group": user.gid, "extra_groups": []} if user.drops else {}
        command = [self.programs / "initdb", "-D", self.directory, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        made = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", env=program_environment(), **drop)  # type: ignore[call-overload]
        if made.returncode:
            raise RuntimeError(made.stderr)
        own = {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        with (self.directory / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in (own | self.settings).items())

    def start(self) -> None:
        self._process = start_program([str(self.programs / "postgres"), "-D", str(self.directory)], self.log_path)

    @property
    def log_path(self) -> Path:
        return self.directory.with_suffix(".log")

    def kill(self) -> None:
        """Sends SIGKILL to every process of the server at once, as a loss of power does."""
        if self._process is None:
            return
        processes = [psutil.Process(self._process.pid)] if self._process.poll() is None else []
        processes += [child for process in processes for child in process.children(recursive=True)]
        for sent in (signal.SIGSTOP, signal.SIGKILL):  # stopped first, so that no process notices the end of another
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(sent)
        psutil.wait_procs(processes, timeout=10)
        self._process.wait(timeout=10)
        self._process = None

    def dsn(self, database: str, user: str = SUPERUSER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?sslmode=disable"

    def report(self) -> str:
        """The end of the server's log."""
        return f"{self.name}: {self.log_path.read_text(encoding='utf-8', errors='replace')[-1500:]}"
