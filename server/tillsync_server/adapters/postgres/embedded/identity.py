"""As whom PostgreSQL runs. It refuses root, so root drops to `nobody`: no user is created, no ancestor directory is opened up."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from tillsync_server.adapters.postgres.embedded.errors import EmbeddedPostgresError


@dataclass(frozen=True, slots=True)
class RunAs:
    uid: int
    gid: int
    name: str
    drops: bool
    """We are root and must give that up for PostgreSQL."""

    def can_reach(self, path: Path) -> bool:
        """Whether this user may pass through every ancestor of ``path`` and enter it."""
        resolved = path.resolve()
        return all(self._can_enter(directory) for directory in (*reversed(resolved.parents), resolved) if directory.exists())

    def _can_enter(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & 0o100)
        if status.st_gid == self.gid:
            return bool(status.st_mode & 0o010)
        return bool(status.st_mode & 0o001)


def run_as() -> RunAs:
    """The present user, or `nobody` for root. initdb needs a passwd entry for the user it runs as."""
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        return RunAs(nobody.pw_uid, nobody.pw_gid, "nobody", drops=True)
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        raise EmbeddedPostgresError(
            f"user id {os.geteuid()} has no passwd entry, which PostgreSQL's initdb needs: add one, or set DATABASE_URL"
        ) from None
    return RunAs(os.geteuid(), os.getegid(), name, drops=False)
