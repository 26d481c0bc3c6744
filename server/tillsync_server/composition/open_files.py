"""How many files this process may have open, and which part of them the callers' connections may take.

Databases, tills, shops and the log need files too: what callers open must leave them enough.
"""

from __future__ import annotations

import contextlib
import resource
from dataclasses import dataclass

MOST_FILES = 65_536
"""A higher limit is not used: so many idle connections would take gigabytes."""
FEW_FILES = 4_096
OPERATIONS_CONNECTIONS = 64


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one, to MOST_FILES at most. Returns the soft limit that holds now.

    The default soft limit of 1,024 is meant for programs that use select(). Child processes inherit the raised one.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems refuse what their hard limit says
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return open_files()


def open_files() -> int:
    """The soft limit, MOST_FILES at most."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)


def few_open_files(files: int) -> str:
    """What is wrong with so low a limit, and the remedy; empty where it is high enough."""
    if files >= FEW_FILES:
        return ""
    room = ConnectionRoom.of(files)
    return (
        f"the system allows {files} open files, so {room.http} connections to HTTP and {room.grpc} to gRPC: raise the hard limit to "
        f"{FEW_FILES} or more (ulimit -Hn, or LimitNOFILE= of systemd)"
    )


@dataclass(frozen=True, slots=True)
class ConnectionRoom:
    """Most connections of callers at once. What is left of the limit is for the database, tills, shops and files."""

    http: int
    grpc: int

    @classmethod
    def of(cls, files: int) -> ConnectionRoom:
        """HTTP gets a quarter: it closes idle connections for new ones. gRPC gets three eighths: it can only refuse new ones."""
        return cls(http=max(files // 4, 16), grpc=max(files * 3 // 8, 16))
