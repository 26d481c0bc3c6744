"""A private MariaDB for one test run, with its own data directory, a unix socket only and no durability. Each site has its own database."""

from __future__ import annotations

import getpass
import itertools
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wordpress.harness.kinds import MARIADBD

USER, PASSWORD = "shop", "password-of-the-tests-only"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class MariaDb:
    socket: Path

    @property
    def host(self) -> str:
        """Returns the value of DB_HOST in wp-config.php."""
        return f"localhost:{self.socket}"

    def sql(self, text: str) -> str:
        """Executes statements as root, and returns the rows, tab-separated."""
        run = subprocess.run(
            ["mariadb", "--no-defaults", f"--socket={self.socket}", f"--user={getpass.getuser()}", "--batch", "--skip-column-names"],
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if run.returncode:
            raise AssertionError(f"MariaDB: {run.stderr}")
        return run.stdout

    def new_database(self) -> str:
        name = f"shop_{os.getpid()}_{next(_numbers)}"
        self.sql(f"CREATE DATABASE {name} CHARACTER SET utf8mb4; GRANT ALL ON {name}.* TO '{USER}'@'localhost';")
        return name

    def in_use(self, name: str) -> bool:
        """Tells whether a client is connected to the database. Each PHP process is, as long as it lives."""
        return self.sql(f"SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{name}'").strip() != "0"

    def copy(self, source: str, target: str, *, changed_since: float = 0) -> None:
        """Makes ``target`` equal to ``source``. Tables without a write, creation or drop since ``changed_since`` are taken as equal."""
        kept = set(self.sql(f"SHOW TABLES FROM {source}").split())
        seconds = int(changed_since) - 1
        stand = self.sql(
            "SELECT table_name, GREATEST(COALESCE(UNIX_TIMESTAMP(update_time), 0), COALESCE(UNIX_TIMESTAMP(create_time), 0)) >= "
            f"{seconds} FROM information_schema.tables WHERE table_schema = '{target}'"
        )
        changed = dict(line.split("\t") for line in stand.splitlines())
        again = [table for table in kept if changed.get(table) != "0"]
        statements = ["SET foreign_key_checks = 0, unique_checks = 0;"]
        statements += [f"DROP TABLE IF EXISTS {target}.{table};" for table in [*again, *(set(changed) - kept)]]
        statements += [f"CREATE TABLE {target}.{table} LIKE {source}.{table};" for table in again]
        # AUTO_INCREMENT continues as in the source, because the highest row is copied
        statements += [f"INSERT INTO {target}.{table} SELECT * FROM {source}.{table};" for table in again]
        self.sql("\n".join(statements))

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Makes the database refuse every write of a shop."""
        self.sql("SET GLOBAL read_only = 1")
        try:
            yield
        finally:
            self.sql("SET GLOBAL read_only = 0")


@contextmanager
def running_mariadb(directory: Path) -> Iterator[MariaDb]:
    data, socket, temporary = directory / "data", directory / "db.sock", directory / "tmp"
    temporary.mkdir()
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    # A starting server removes all temporary tables in its folder for them, including those of a server that another process starts.
    own_temporary = f"--tmpdir={temporary}"
    subprocess.run(
        [
            "mariadb-install-db",
            "--no-defaults",
            own_temporary,
            f"--datadir={data}",
            f"--auth-root-socket-user={getpass.getuser()}",
            "--skip-test-db",
            *as_root,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    options = [
        "--skip-networking",
        own_temporary,
        "--skip-log-bin",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-lock-wait-timeout=5",
    ]
    options += ["--sync-frm=0", "--max-connections=200", f"--pid-file={directory / 'pid'}", f"--log-error={directory / 'log'}"]
    # setpriv makes the server end with this process, however it ends
    server = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", str(MARIADBD), "--no-defaults", f"--datadir={data}", f"--socket={socket}", *options, *as_root]
    )
    try:
        database = MariaDb(socket)
        deadline = time.monotonic() + 60
        while True:
            try:
                database.sql("SELECT 1")
                break
            except AssertionError:
                if server.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((directory / "log").read_text(encoding="utf-8")) from None
                time.sleep(0.05)
        database.sql(f"CREATE USER '{USER}'@'localhost' IDENTIFIED BY '{PASSWORD}'")
        yield database
    finally:
        server.terminate()
        server.wait(timeout=30)
