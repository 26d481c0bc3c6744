"""Limit of open files of this process, and the parts of it for callers' connections.

Databases, tills, shops and the log need files too, so callers' connections must leave them enough.
"""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass

MOST_FILES = 65_536
"""Highest limit that is used, because more idle connections would take gigabytes."""
FEW_FILES = 4_096
OPERATIONS_CONNECTIONS = 64


def raise_open_files() -> int:
    """Raises the soft limit of open files to the hard one, at most to MOST_FILES. Returns the present soft limit.

    The default soft limit of 1,024 is meant for programs that use select(). Child processes inherit the raised one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < limit:
        with contextlib.suppress(OSError, ValueError):  # some systems refuse a value that their hard limit allows
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return open_files()


def open_files() -> int:
    """Returns the soft limit, at most MOST_FILES."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)


def open_files_problem(files: int) -> str:
    """Returns the problem of a limit of ``files`` and its remedy, or an empty text if the limit is high enough."""
    if files >= FEW_FILES:
        return ""
    limits = ConnectionLimits.of(files)
    return (
        f"the system allows {files} open files, so {limits.http} connections to HTTP and {limits.grpc} to gRPC: raise the hard limit to "
        f"{FEW_FILES} or more (ulimit -Hn, or LimitNOFILE= of systemd)"
    )


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Most connections of callers at once. The remaining files are for the database, tills, shops and other files."""

    http: int
    grpc: int

    @classmethod
    def of(cls, files: int) -> ConnectionLimits:
        """Returns the limits for ``files`` open files. HTTP gets a quarter, because it closes idle connections for new ones. gRPC gets
        three eighths, because it can only refuse new ones."""
        return cls(http=max(files // 4, 16), grpc=max(files * 3 // 8, 16))
