"""Starts PostgreSQL as a child, watches it, restarts it after a crash, and stops it in bounded time. It never leaves an orphan."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO, Self
from urllib.parse import quote

import asyncpg
import structlog

from tillsync_server.adapters.postgres.embedded import launcher
from tillsync_server.adapters.postgres.embedded.binaries import Binaries, find_binaries, reachable_binaries
from tillsync_server.adapters.postgres.embedded.data_directory import DataDirectory
from tillsync_server.adapters.postgres.embedded.environment import program_environment
from tillsync_server.adapters.postgres.embedded.errors import EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.exit_reason import exit_reason
from tillsync_server.adapters.postgres.embedded.identity import run_as
from tillsync_server.application.concurrency.background import BackgroundTasks

_LOG = structlog.get_logger(__name__)
_RESTART_DELAYS = (0.1, 0.5, 1.0, 2.0, 5.0)
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "jit": "off",
    "random_page_cost": "1.1",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "10s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_error_verbosity": "terse",  # the details of a refused row quote the row, which has emails of persons
}


class EmbeddedPostgres:
    """One PostgreSQL cluster under ``data_dir``. Only its own user (and root) can open its unix socket.

    ``durable`` False turns fsync off, so a power cut may lose everything: for throw-away test databases only.
    ``bin_dir``: a folder with PostgreSQL's programs, `WHEEL`, or None for the first in the order of `binaries`.
    Use it from the main thread, because the kernel ties PDEATHSIG to the thread that spawned the child.
    """

    def __init__(
        self, data_dir: Path, *, bin_dir: Path | None = None, durable: bool = True, settings: dict[str, str] | None = None
    ) -> None:
        self._run_as = run_as()
        self._directory = DataDirectory(data_dir, self._run_as)
        self._bin_dir = bin_dir
        self._settings = {**_SETTINGS, **(settings or {})}
        if not durable:
            self._settings |= {"fsync": "off", "full_page_writes": "off"}
        self._socket_dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._log_offset = 0
        """Size of the log in bytes at the start of the present server."""
        self._tasks = BackgroundTasks()
        self._program: Path | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def dsn(self, database: str = "postgres") -> str:
        if self._socket_dir is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not started")
        return socket_dsn(self._socket_dir, database)

    async def start(self) -> str:
        """Starts PostgreSQL (cold about one second, warm 0.1 s) and returns the DSN. Raises EmbeddedPostgresError with the remedy."""
        self._directory.prepare()
        self._directory.lock()
        try:
            binaries = await asyncio.to_thread(self._find_binaries)
            await asyncio.to_thread(self._directory.make_cluster, binaries)
            self._program = binaries.bin_dir / "postgres"
            self._socket_dir = self._directory.socket_directory()
            self._log_file = self._directory.open_log()
            await self._end_predecessor()
            self._spawn()
            await self._wait_ready()
        except BaseException:
            await self.stop()
            raise
        _LOG.info("embedded_postgres_started", version=binaries.major, path=str(self._program))
        self._tasks.start(self._watch(), name="embedded-postgres")
        return self.dsn()

    async def stop(self) -> None:
        """Stops PostgreSQL: fast shutdown, then immediate, then kill. It takes at most about 20 seconds."""
        await self._tasks.stop()
        process, self._process = self._process, None
        if process is not None:
            for sent, seconds in ((signal.SIGINT, 12.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                if process.poll() is None:
                    process.send_signal(sent)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await _exited(process)
            process.wait(timeout=1)
        if self._log_file is not None:
            self._log_file.close()
            self._log_file = None
        self._directory.unlock()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    def _find_binaries(self) -> Binaries:
        found = find_binaries(self._bin_dir, self._directory.made_by(), self._run_as)
        return reachable_binaries(found, self._run_as, self._directory.root)

    def _spawn(self) -> None:
        assert self._program is not None
        uid, gid = (self._run_as.uid, self._run_as.gid) if self._run_as.drops else (-1, -1)
        settings = {**self._settings, "unix_socket_directories": str(self._socket_dir)}
        self._log_offset = self._directory.log_path.stat().st_size
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-I", launcher.__file__, str(os.getpid()), str(uid), str(gid)),
                *(str(self._program), "-D", str(self._directory.cluster)),
                *(argument for name, value in settings.items() for argument in ("-c", f"{name}={value}")),
            ],
            env=program_environment(),
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # keeps a terminal's Ctrl-C from PostgreSQL: the service drains first
        )

    async def _wait_ready(self, seconds: float = 120.0) -> None:
        """Waits for the first connection. Recovery after a crash may take a while; if the process ends, it raises at once."""
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            assert self._process is not None
            if self._process.poll() is not None:
                raise EmbeddedPostgresError(
                    f"PostgreSQL did not start (exit {self._process.returncode}): {self._reason()}{self._see_log()}"
                )
            try:
                connection = await asyncpg.connect(self.dsn(), timeout=2)
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if asyncio.get_running_loop().time() > deadline:
                    raise EmbeddedPostgresError(f"PostgreSQL did not answer within {seconds:.0f} s{self._see_log()}") from None
                await asyncio.sleep(0.02)
                continue
            await connection.close()
            return

    async def _watch(self) -> None:
        """Restarts PostgreSQL after each crash, with growing delays. PostgreSQL recovers its data itself; callers see a short outage."""
        failures = 0
        while True:
            assert self._process is not None
            started = asyncio.get_running_loop().time()
            await _exited(self._process)
            if asyncio.get_running_loop().time() - started > 60:
                failures = 0
            _LOG.error("embedded_postgres_exited", returncode=self._process.wait(), reason=self._reason())
            await asyncio.sleep(_RESTART_DELAYS[min(failures, len(_RESTART_DELAYS) - 1)])
            failures += 1
            await self._end_predecessor()
            self._spawn()

    async def _end_predecessor(self) -> None:
        """Waits for the PostgreSQL of a killed supervisor, which ends through PDEATHSIG. After that it sends signals."""
        for sent in (None, signal.SIGQUIT, signal.SIGKILL):
            pid = self._directory.remove_stale_pid_file()
            if pid is None:
                return
            if sent is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sent)
            for _ in range(500):
                if self._directory.remove_stale_pid_file() is None:
                    return
                await asyncio.sleep(0.02)
        raise EmbeddedPostgresError(f"another PostgreSQL runs on {self._directory.cluster} and does not end: stop it first")

    def _reason(self) -> str:
        """Returns why the present server ended."""
        assert self._process is not None
        return exit_reason(self._directory.log_path, self._log_offset, self._process.pid)

    def _see_log(self) -> str:
        return f"; its log is {self._directory.log_path}"


def socket_dsn(socket_directory: Path, database: str = "postgres") -> str:
    """Returns the address of an embedded server by its socket."""
    return f"postgresql://tillsync@/{quote(database)}?host={quote(str(socket_directory), safe='')}"


async def _exited(process: subprocess.Popen[bytes]) -> None:
    """Waits by pidfd until the child has ended. It needs no thread, no polling and no child watcher of an event loop."""
    if process.poll() is not None:
        return
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(process.pid)
    try:
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
    finally:
        os.close(descriptor)
    process.poll()
