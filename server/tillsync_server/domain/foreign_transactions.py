"""Transactions of other programs that are open in tillsync's database, in words for operators."""

from __future__ import annotations

from dataclasses import dataclass

OLD_SECONDS = 300.0
"""An older one is worth a warning: a report or a dump that takes minutes is ordinary."""
HIDDEN = "open transactions of other roles cannot be seen: GRANT pg_read_all_stats TO the role of DATABASE_URL"


@dataclass(frozen=True, slots=True)
class ForeignTransaction:
    """``pid`` None: a prepared transaction, and ``name`` its identifier. ``name`` of a session: its application name, often empty."""

    pid: int | None
    name: str
    role: str
    state: str
    seconds: float

    @property
    def is_old(self) -> bool:
        return self.seconds >= OLD_SECONDS

    def described(self) -> str:
        """Who holds it, and for how long."""
        if self.pid is None:
            return f"prepared transaction {self.name!r} of role {self.role!r}, prepared {_ago(self.seconds)}"
        program = f"application {self.name!r}" if self.name else "an application without a name"
        return f"session {self.pid} of role {self.role!r}, {program}, {self.state}, transaction begun {_ago(self.seconds)}"

    def remedy(self) -> str:
        """What it does, and how to end it."""
        end = f"ROLLBACK PREPARED '{self.name}'" if self.pid is None else f"pg_terminate_backend({self.pid})"
        return (
            "while it is open PostgreSQL keeps every dead row since, tables and indexes grow and statements slow down; "
            f"let it end, or end it: {end}"
        )


def _ago(seconds: float) -> str:
    minutes = int(seconds // 60)
    if minutes < 1:
        return f"{int(seconds)} s ago"
    return f"{minutes} min ago" if minutes < 120 else f"{minutes // 60} h ago"
