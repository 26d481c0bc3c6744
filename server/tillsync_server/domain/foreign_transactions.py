"""Describes for operators the open transactions that other programs hold in tillsync's database."""

from __future__ import annotations

from dataclasses import dataclass

OLD_SECONDS = 300.0
"""An older transaction gets a warning. A report or a dump that takes minutes is ordinary."""
HIDDEN = "open transactions of other roles cannot be seen: GRANT pg_read_all_stats TO the role of DATABASE_URL"


@dataclass(frozen=True, slots=True)
class ForeignTransaction:
    """``pid`` is None for a prepared transaction, and ``name`` is then its identifier. For a session ``name`` is its application name,
    often empty."""

    pid: int | None
    name: str
    role: str
    state: str
    seconds: float

    @property
    def is_old(self) -> bool:
        return self.seconds >= OLD_SECONDS

    def described(self) -> str:
        """Names the session or the prepared transaction, and its age."""
        if self.pid is None:
            return f"prepared transaction {self.name!r} of role {self.role!r}, prepared {_ago(self.seconds)}"
        program = f"application {self.name!r}" if self.name else "an application without a name"
        return f"session {self.pid} of role {self.role!r}, {program}, {self.state}, transaction begun {_ago(self.seconds)}"

    def remedy(self) -> str:
        """Says what the transaction causes, and how to end it."""
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
