"""The user that PostgreSQL runs as. PostgreSQL refuses root, so root changes to `nobody`. No user is created and no directory is opened."""

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
    """The service runs as root and must change to this user for PostgreSQL."""

    def can_reach(self, path: Path) -> bool:
        """Returns whether this user may enter ``path`` and every ancestor of it."""
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
    """Returns the present user, or `nobody` for root. initdb needs a passwd entry of the user it runs as."""
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
