"""The data directory. It has one owner at a time. Its cluster is created completely or not at all, and a crash may leave files behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from tillsync_server.adapters.postgres.embedded.binaries import Binaries
from tillsync_server.adapters.postgres.embedded.environment import program_environment
from tillsync_server.adapters.postgres.embedded.errors import DataDirectoryInUseError, EmbeddedPostgresError
from tillsync_server.adapters.postgres.embedded.identity import RunAs

_SOCKET_PATH_LIMIT = 90  # a unix socket path is limited to about 100 characters, including its file name


class DataDirectory:
    """``root``/postgres belongs to PostgreSQL, ``root``/postgres.lock to us. The socket is in ``root``/run, or in /tmp for a long path."""

    def __init__(self, root: Path, run_as: RunAs) -> None:
        self.root = root.absolute()
        self.cluster = self.root / "postgres"
        self.log_path = self.root / "postgres.log"
        self._run_as = run_as
        self._lock: IO[str] | None = None
        self._temporary_socket_dir: Path | None = None

    def prepare(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o711)
        if not self._run_as.can_reach(self.root):
            raise EmbeddedPostgresError(
                f"{self.root} cannot be reached by user {self._run_as.name}, as whom PostgreSQL runs: "
                "choose another TILLSYNC_DATA_DIR (as root for example /var/lib/tillsync)"
            )

    def lock(self) -> None:
        """Locks the directory until `unlock` or the end of the process. A second instance fails at once."""
        lock = (self.root / "postgres.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise DataDirectoryInUseError(
                f"another tillsync (pid {holder}) uses {self.root}: stop it first, or give this one its own TILLSYNC_DATA_DIR"
            ) from None
        lock.seek(0)
        lock.truncate()
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def is_locked(self) -> bool:
        """Returns whether a process has locked the directory."""
        try:
            with (self.root / "postgres.lock").open("r", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def open_log(self) -> IO[bytes]:
        """Opens PostgreSQL's log, readable by its owner only, also if an earlier release left it readable for others."""
        log = open(self.log_path, "ab", opener=lambda path, flags: os.open(path, flags, 0o600))  # noqa: SIM115
        os.fchmod(log.fileno(), 0o600)
        return log

    def unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        if self._temporary_socket_dir is not None:
            shutil.rmtree(self._temporary_socket_dir, ignore_errors=True)
            self._temporary_socket_dir = None

    def socket_directory(self) -> Path:
        """Returns a directory of the PostgreSQL user, mode 0700, with a path short enough for a socket."""
        wanted = self.root / "run"
        if len(str(wanted)) <= _SOCKET_PATH_LIMIT:
            wanted.mkdir(exist_ok=True)
        else:
            wanted = self._temporary_socket_dir = Path(tempfile.mkdtemp(prefix="tillsync-", dir="/tmp"))
        self._give_ownership(wanted)
        return wanted

    def made_by(self) -> int | None:
        """Returns the major version of PostgreSQL that made the cluster, or None without a cluster."""
        try:
            return int((self.cluster / "PG_VERSION").read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise EmbeddedPostgresError(f"{self.cluster}/PG_VERSION names no version: restore the directory from a backup") from None

    def make_cluster(self, binaries: Binaries) -> None:
        """Runs initdb in a temporary directory and renames it, so that a killed first start leaves no partial cluster."""
        if self.made_by() is not None:
            return
        partial = self.root / f"postgres.{os.getpid()}.partial"
        for leftover in self.root.glob("postgres.*.partial"):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir()
        self._give_ownership(partial)
        drop = {"user": self._run_as.uid, "group": self._run_as.gid, "extra_groups": []} if self._run_as.drops else {}
        command = [binaries.bin_dir / "initdb", "-D", partial, "-U", "tillsync", "-A", "trust", "-E", "UTF8", "--no-instructions"]
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if binaries.major >= 17 else []
        result = subprocess.run(
            [*command, *locale, "--locale=C.UTF-8"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd="/",
            env=program_environment(),
            **drop,  # type: ignore[call-overload]
        )
        if result.returncode != 0:
            shutil.rmtree(partial, ignore_errors=True)
            raise EmbeddedPostgresError(f"initdb failed: {result.stderr.strip()[-500:]}")
        partial.rename(self.cluster)

    def running_socket(self) -> Path | None:
        """Returns the socket directory of the server that another process runs on this cluster, or None without such a server."""
        try:  # the fifth line of postmaster.pid is the first socket directory
            lines = (self.cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return None
        return Path(lines[4]) if len(lines) > 4 and lines[4] else None

    def remove_stale_pid_file(self) -> int | None:
        """Returns the pid of a PostgreSQL that still runs on this cluster. Otherwise removes a stale postmaster.pid and returns None.

        PostgreSQL only checks whether the pid is alive, so another process with a reused pid would keep it from starting.
        """
        pid_file = self.cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="utf-8").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            pid = 0
        if pid > 0:
            try:  # the postmaster's working directory is its data directory
                if Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.cluster.resolve() and pid != os.getpid():
                    return pid
            except (FileNotFoundError, PermissionError):
                pass
        pid_file.unlink(missing_ok=True)
        return None

    def _give_ownership(self, directory: Path) -> None:
        directory.chmod(0o700)
        if self._run_as.drops:
            os.chown(directory, self._run_as.uid, self._run_as.gid)
