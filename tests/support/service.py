"""The complete service for tests: in this process on the test's own database, or as a real ``tillsync serve`` child process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from support.waiting import HANG_SECONDS, hang_limit
from tillsync.v1 import account_pb2
from tillsync_client import TillsyncClient
from tillsync_server.composition.service import Service
from tillsync_server.composition.settings import load_settings

SECRET_KEY = "key-of-the-tests-only-0123456789abcdef"
ADMIN_TOKEN = "tls_admin-token-of-this-test-run-0123456789"
PROGRAM = Path(sys.executable).with_name("tillsync")
FREE_PORTS = {f"TILLSYNC_{side}_LISTEN": "127.0.0.1:0" for side in ("GRPC", "HTTP", "OPERATIONS")}
QUICK = {
    "TILLSYNC_POLL_SECONDS": "0.2",
    "TILLSYNC_RETRY_BASE_SECONDS": "0.2",
    "TILLSYNC_DRAIN_SECONDS": "5",
    "TILLSYNC_TILL_SHARE": "1",  # no other app calls the sandbox
}


def environment(dsn: str | None, **changes: str) -> dict[str, str]:
    """Settings with free loopback ports, a known admin token and short delays. ``dsn`` None means the wheel's PostgreSQL, which needs
    TILLSYNC_DATA_DIR.
    """
    made = {**FREE_PORTS, **QUICK, "TILLSYNC_ADMIN_TOKEN": ADMIN_TOKEN, "TILLSYNC_POSTGRES_BIN": "wheel"}
    if dsn is not None:
        made |= {"DATABASE_URL": dsn, "TILLSYNC_SECRET_KEY": SECRET_KEY}
    return {name: value for name, value in (made | changes).items() if value}


@dataclass
class RunningService:
    service: Service
    http: aiohttp.ClientSession
    client: TillsyncClient

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.service.grpc_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.service.http_port}"

    @property
    def operations_url(self) -> str:
        return f"http://127.0.0.1:{self.service.operations_port}"

    async def add_account(
        self,
        account_id: str = "shop-1",
        *,
        base_url: str = "http://127.0.0.1:9",
        api_key: str = "k",
        api_secret: str = "s",
        webhook_key: str = "",
        webhook_secret: str = "",
    ) -> account_pb2.Account:
        """Adds an account. Its till is on a closed port unless ``base_url`` is given."""
        epos = account_pb2.EposSettings(
            base_url=base_url, api_key=api_key, api_secret=api_secret, webhook_key=webhook_key, webhook_secret=webhook_secret
        )
        return await self.client.accounts.create_account(account_id, account_pb2.Account(epos=epos))


@asynccontextmanager
async def running_service(
    dsn: str | None, *, serves: bool = True, works: bool = True, changes: Mapping[str, str] | None = None
) -> AsyncIterator[RunningService]:
    """Runs the service in this process. A worker alone is allowed the sandboxes' address, which a service on loopback may use anyway."""
    given = {} if serves else {"TILLSYNC_ALLOWED_HOSTS": "127.0.0.1"}
    service = Service(load_settings(environment(dsn, **(given | dict(changes or {})))), serves=serves, works=works)
    async with service, aiohttp.ClientSession() as http, TillsyncClient(f"127.0.0.1:{service.grpc_port}", ADMIN_TOKEN) as client:
        yield RunningService(service, http, client)


@dataclass
class Child:
    """A running ``tillsync`` command. ``errors`` is its stderr (its log) so far."""

    process: subprocess.Popen[str]
    errors_path: Path
    lines: list[str] = field(default_factory=list)

    @property
    def errors(self) -> str:
        return self.errors_path.read_text(encoding="utf-8")

    @property
    def grpc_port(self) -> int:
        return int(self._line("gRPC").split()[1].rpartition(":")[2])

    @property
    def http_url(self) -> str:
        return self._line("HTTP").split()[1]

    @property
    def operations_url(self) -> str:
        return self._line("operations").split()[1]

    def _line(self, prefix: str) -> str:
        return next(line for line in self.lines if line.startswith(prefix))

    async def started(self, last: str = "operations") -> None:
        """Waits until the command has printed its addresses and the line ``last``. Raises with its output if it ended instead."""
        async with hang_limit("the start", lambda: f"it said {self.lines}\n{self.errors}"):
            while not any(line.startswith(last) for line in self.lines):
                assert self.process.stdout is not None
                line = await asyncio.to_thread(self.process.stdout.readline)
                if not line:
                    raise AssertionError(f"ended with {self.process.wait()}: {self.errors}")
                self.lines.append(line.strip())

    async def stop(self, sent: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sent)
        try:
            return await asyncio.to_thread(self.process.wait, HANG_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{error}\n{self.errors[-6000:]}") from None


def command_environment(**variables: str) -> dict[str, str]:
    """The environment of this process without the developer's own settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TILLSYNC_") and name != "DATABASE_URL"}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", **variables}


def run_command(arguments: Sequence[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a ``tillsync`` command to its end."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        env=command_environment(**variables),
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )


@contextmanager
def child(arguments: Sequence[str], variables: Mapping[str, str], directory: Path, *, limit: str = "") -> Iterator[Child]:
    """Runs a ``tillsync`` command until the test stops it, and kills it at the end of the block. ``limit`` has the arguments of the shell's
    ``ulimit`` before the start, such as ``-Sn 1024``."""
    command = [str(PROGRAM), *arguments]
    if limit:
        command = ["/bin/sh", "-c", f'ulimit {limit} && exec "$@"', "sh", *command]
    errors_path = directory / f"stderr.{len(list(directory.glob('stderr.*')))}"
    with errors_path.open("w") as errors:
        process = subprocess.Popen(
            command,
            env=command_environment(**variables, PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield Child(process, errors_path)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=HANG_SECONDS)
        assert process.stdout is not None
        process.stdout.close()
