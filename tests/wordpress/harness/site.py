"""A WordPress site for tests: its PHP, database, logs and mails. Each test begins with its first state."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from wordpress.harness import files
from wordpress.harness.kinds import BRIDGE, PHP, SiteKind
from wordpress.harness.mariadb import MariaDb
from wordpress.harness.web import WebServer, php_options

ADMIN: Final = "admin"
PASSWORD: Final = "password-of-the-tests-only"


class PhpError(AssertionError):
    """PHP ended with an error. The text is PHP's output."""


@dataclass
class Site:
    kind: SiteKind
    directory: Path
    url: str
    database: MariaDb | None
    """None for SQLite."""
    database_name: str
    web: WebServer
    constants: dict[str, str | bool | int] = field(default_factory=dict)
    """Constants of wp-config.php for the site's whole life, in addition to the usual ones."""
    _reset_at: float = 0.0

    @property
    def content(self) -> Path:
        return self.directory / "wp-content"

    @property
    def compiled(self) -> Path:
        return self.directory / "compiled"

    @property
    def sqlite_file(self) -> Path:
        return self.content / "database/.ht.sqlite"

    async def php(
        self, code: str, *, user: str | int | None = None, admin: bool = False, files: tuple[Path, ...] = (), **given: Any
    ) -> Any:
        """Runs ``code`` (statements; ``return`` gives the value, as JSON) in its own process, with WordPress and all plugins loaded and
        ``given`` as variables. ``user``: the current user, by login or id. ``admin``: runs as in wp-admin. Raises PhpError.
        """
        job = self._job(code, user=user, admin=admin, files=files, given=given)
        process = await asyncio.create_subprocess_exec(
            *self._command(), cwd=self.directory, stdin=-1, stdout=-1, stderr=asyncio.subprocess.STDOUT
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(json.dumps(job).encode()), 90)
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
        return self._value(job, process.returncode, output.decode(errors="replace"))

    def php_now(self, code: str, *, user: str | int | None = None, admin: bool = False, installing: bool = False, **given: Any) -> Any:
        """Runs ``php`` as a blocking call, for code before a test has an event loop."""
        job = self._job(code, user=user, admin=admin, installing=installing, given=given)
        run = subprocess.run(
            self._command(), cwd=self.directory, input=json.dumps(job), capture_output=True, text=True, timeout=120, check=False
        )
        return self._value(job, run.returncode, run.stdout + run.stderr)

    def inject(self, code: str, name: str | None = None) -> Path:
        """Adds PHP that every request of this test runs before plugins load (a mu-plugin). Returns the file, which the test may delete."""
        number = len(list((self.content / "injected").iterdir()))
        path = self.content / "injected" / f"{name or f'{number:03}'}.php"
        path.write_text("<?php\n" + code, encoding="utf-8")
        return path

    def configure(self, **constants: str | bool | int) -> None:
        """Writes wp-config.php with these constants in addition to, or instead of, the usual ones."""
        files.configure(self.directory, self.database, self.database_name, {**self.constants, **constants})

    def use_object_cache(self) -> None:
        """Gives the site a persistent object cache until its reset."""
        shutil.copyfile(files.PHP_FILES / "object-cache.php", self.content / "object-cache.php")

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """Returns the rows of a query. ``{prefix}`` stands for the site's table prefix. A failed query raises."""
        code = """
            global $wpdb;
            $wpdb->suppress_errors();
            $rows = $wpdb->get_results( str_replace( '{prefix}', $wpdb->prefix, $sql ), ARRAY_A );
            if ( $wpdb->last_error ) { throw new RuntimeException( $wpdb->last_error ); }
            return $rows;
        """
        found: list[dict[str, Any]] = await self.php(code, sql=sql)
        return found

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """Makes the database refuse every write, as a full or failed-over one does."""
        if self.database is not None:
            with self.database.read_only():
                yield
            return
        refuse = (Path(__file__).parent / "php/sqlite-read-only.php").read_text(encoding="utf-8").removeprefix("<?php")
        injected = self.inject(refuse, "sqlite-read-only")
        try:
            yield
        finally:
            injected.unlink(missing_ok=True)

    def mails(self) -> list[dict[str, Any]]:
        """Returns the arguments of wp_mail calls: to, subject, message, headers, attachments."""
        kept = self.content / "mails.jsonl"
        return [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.exists() else []

    def log(self) -> list[str]:
        """Returns the lines of WordPress's debug log since the test began."""
        kept = self.content / "debug.log"
        return kept.read_text(encoding="utf-8", errors="replace").splitlines() if kept.exists() else []

    def forgive_log(self) -> None:
        """Deletes the log so far, because the test provoked its lines."""
        (self.content / "debug.log").unlink(missing_ok=True)

    def complaints(self) -> list[str]:
        """Returns the log's lines in which PHP or WordPress complains about the plugin."""
        ours = ("tillsync-bridge", "tillsync_", "Tillsync", str(BRIDGE))
        problems = [line for line in self.log() if "PHP " in line or "WordPress database error" in line]
        wrong_use = () if self.kind.real else ("was called incorrectly", "was called <strong>incorrectly")
        return [line for line in problems if any(part in line for part in (*ours, *wrong_use)) and "/injected/" not in line]

    def keep_as_first_state(self) -> None:
        shutil.copytree(self.content / "uploads", self.directory / "first-uploads", dirs_exist_ok=True)
        if self.database is None:
            shutil.copyfile(self.sqlite_file, self.directory / "first.sqlite")
        else:
            self.database.sql(f"DROP DATABASE IF EXISTS {self.database_name}_first; CREATE DATABASE {self.database_name}_first;")
            self.database.copy(self.database_name, f"{self.database_name}_first")
            self._reset_at = time.time()

    def reset(self) -> None:
        """Restores database, configuration, injected code, mails and logs. Address and server stay."""
        self._end_requests()
        content = self.content
        for left in [*(content / "injected").iterdir(), content / "mails.jsonl", content / "debug.log", content / "object-cache.php"]:
            left.unlink(missing_ok=True)
        shutil.rmtree(content / "object-cache", ignore_errors=True)
        # the folders stay, because the web server's PHP caches their existence for two minutes
        for left in (content / "uploads").rglob("*"):
            if not left.is_dir():
                left.unlink(missing_ok=True)
        shutil.copytree(self.directory / "first-uploads", content / "uploads", dirs_exist_ok=True)
        self.configure()
        if self.database is None:
            for suffix in ("-wal", "-shm", "-journal"):
                self.sqlite_file.with_name(self.sqlite_file.name + suffix).unlink(missing_ok=True)
            shutil.copyfile(self.directory / "first.sqlite", self.sqlite_file)
        else:
            began = time.time()
            self.database.copy(f"{self.database_name}_first", self.database_name, changed_since=self._reset_at)
            self._reset_at = began

    def _end_requests(self) -> None:
        """Waits for requests of the test before (a page that its browser left, Action Scheduler's runner), which must not write into this
        test.
        """
        if self.database is None:
            return
        deadline = time.monotonic() + 10
        while self.database.in_use(self.database_name):
            if time.monotonic() > deadline:
                self.web.restart()
                return
            time.sleep(0.05)

    def _job(self, code: str, **more: Any) -> dict[str, Any]:
        more["files"] = [str(file) for file in more.get("files", ())]
        return {"code": code, "url": self.url, "result": tempfile.mktemp(prefix="result-", dir=self.directory), **more}

    def _command(self) -> list[str]:
        return [str(PHP), *php_options(self.compiled), "-d", "display_errors=stderr", str(files.PHP_FILES / "run.php")]

    def _value(self, job: dict[str, Any], code: int | None, output: str) -> Any:
        result = Path(job["result"])
        if code or not result.exists():
            log = "\n".join(self.log()[-5:])
            raise PhpError(f"PHP ended with {code}: {output.strip().partition('<!DOCTYPE')[0][-3000:]}\n{log}")
        made = json.loads(result.read_text(encoding="utf-8"))
        result.unlink()
        if "thrown" in made:
            raise PhpError(made["thrown"])
        return made["value"]
