"""PHP's web server for a site, with four workers, so that a page may call the service while the service calls the shop."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from wordpress.harness.files import PHP_FILES
from wordpress.harness.kinds import PHP

PHP_SETTINGS = (
    "memory_limit=512M",
    "opcache.enable_cli=1",
    "opcache.revalidate_freq=0",
    "error_reporting=-1",
    "log_errors=1",
    "max_execution_time=60",
)


_UNTIL_WE_END = '"$@" < /dev/null & cat > /dev/null; kill -KILL 0'
"""The server and its workers are one process group. It ends when this process's end of the pipe closes, however this process ends."""


def free_port() -> int:
    """Returns a free port below the range that the kernel assigns to connections, so that no connection takes it meanwhile."""
    while True:
        port = random.randrange(12_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def php_options(cache: Path | None = None) -> list[str]:
    """``cache``: a folder for compiled files between PHP processes, which cuts a process's cost to a quarter."""
    kept: tuple[str, ...] = ()
    if cache is not None:
        cache.mkdir(exist_ok=True)
        kept = (f"opcache.file_cache={cache}", "opcache.file_cache_only=1")
    return [part for setting in (*PHP_SETTINGS, *kept) for part in ("-d", setting)]


class WebServer:
    def __init__(self, directory: Path, port: int, log: Path) -> None:
        self._directory, self._port, self._log = directory, port, log
        self._process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TILLSYNC_")}
        router = str(PHP_FILES / "router.php")
        serve = [str(PHP), *php_options(), "-S", f"127.0.0.1:{self._port}", "-t", str(self._directory), router]
        with self._log.open("a") as output:
            process = subprocess.Popen(
                ["sh", "-c", _UNTIL_WE_END, "sh", *serve],
                cwd=self._directory,
                env={**environment, "PHP_CLI_SERVER_WORKERS": "4"},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        deadline = time.monotonic() + 20
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=1):
                    return process
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"php -S did not start: {self.log}") from None
                time.sleep(0.02)

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")

    def restart(self) -> None:
        """Ends all running requests."""
        self.stop()
        self._process = self._started()

    def stop(self) -> None:
        """Ends the server with its workers, which are its process group."""
        assert self._process.stdin is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(timeout=10)
        self._process.stdin.close()
