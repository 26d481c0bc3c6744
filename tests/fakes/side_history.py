"""History of the problems that entries opened, in memory."""

from __future__ import annotations

from tillsync_server.domain.enums import Side
from tillsync_server.domain.ids import EntryId
from tillsync_server.ports.lanes import ClaimedEntry


class FakeSideHistory:
    """Implements ports.lanes.SideHistory. Tests set ``opened``."""

    def __init__(self) -> None:
        self.opened: dict[tuple[EntryId, Side], int] = {}

    async def times_opened(self, entry: ClaimedEntry, side: Side) -> int:
        return self.opened.get((entry.entry_id, side), 0)
