"""Knowledge of tills in memory."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fakes.clock import FakeClock
from fakes.script import Faults, Step, no_step, raise_fault
from tillsync_server.domain.ids import EposCustomerId, TillId
from tillsync_server.ports.till import CustomerPage, UnreadRow
from tillsync_server.ports.tills import TillKnowledge

UNREAD_ROW_DAYS = 7


@dataclass(frozen=True, slots=True)
class StoredUnreadRow:
    page: int
    customer_id: EposCustomerId | None
    first_time: datetime
    last_time: datetime


def _key(page: int, row: UnreadRow) -> str:
    return str(row.customer_id) if row.customer_id is not None else f"row {row.position} of page {page}"


class FakeKnowledge:
    """Implements ports.tills.TillKnowledgeStore. ``notes`` records the notes in order."""

    def __init__(self, clock: FakeClock | None = None, step: Step = no_step) -> None:
        self._clock = clock or FakeClock()
        self._step = step
        self.stored: dict[tuple[str, str], TillKnowledge] = {}
        self.faults: Faults = {}
        self.notes: list[str] = []
        self.unread: dict[TillId, dict[str, StoredUnreadRow]] = {}

    def of(self, till_id: TillId, configuration: str) -> TillKnowledge:
        return self.stored.get((till_id, configuration), TillKnowledge())

    async def get(self, till_id: TillId, configuration: str) -> TillKnowledge:
        await self._step("knowledge.get")
        raise_fault(self.faults, "get")
        return self.of(till_id, configuration)

    async def note_search_proven(self, till_id: TillId, configuration: str) -> None:
        await self._note("search_proven", till_id, configuration, search_proven_at=self._clock.database_now())

    async def note_search_unproven(self, till_id: TillId, configuration: str) -> None:
        await self._note("search_unproven", till_id, configuration, search_proven_at=None)

    async def note_kinds(self, till_id: TillId, configuration: str, kinds: Collection[str], *, proven: bool) -> None:
        others = {kind: at for kind, at in self.of(till_id, configuration).kinds_proven_at.items() if kind not in kinds}
        noted = dict.fromkeys(kinds, self._clock.database_now()) if proven else {}
        await self._note("kinds_proven" if proven else "kinds_unproven", till_id, configuration, kinds_proven_at={**others, **noted})

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None:
        pages = {} if last_page is None else {"last_page": last_page}
        await self._note("customers_read", till_id, configuration, customers_read_at=self._clock.database_now(), **pages)

    async def note_types_read(self, till_id: TillId, configuration: str) -> None:
        await self._note("types_read", till_id, configuration, types_read_at=self._clock.database_now())

    async def note_list_page(self, till_id: TillId, page: CustomerPage) -> None:
        raise_fault(self.faults, "note_list_page")
        stored = self.unread.setdefault(till_id, {})
        shown = {_key(page.number, row): row for row in page.unread}
        now, readable = self._clock.database_now(), {row.epos_customer_id for row in page.rows}
        for key, row in shown.items():
            first = stored[key].first_time if key in stored else now
            stored[key] = StoredUnreadRow(page.number, row.customer_id, first, now)
        for key, each in list(stored.items()):
            is_gone = each.page == page.number and key not in shown
            if is_gone or each.customer_id in readable or now - each.last_time > timedelta(days=UNREAD_ROW_DAYS):
                del stored[key]

    async def unread_customers(self, till_id: TillId, *, limit: int) -> list[EposCustomerId]:
        stored = self.unread.get(till_id, {}).values()
        return sorted(row.customer_id for row in stored if row.customer_id is not None)[:limit]

    async def note_customers_readable(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        for customer_id in customer_ids:
            self.unread.get(till_id, {}).pop(str(customer_id), None)

    async def _note(self, note: str, till_id: TillId, configuration: str, **changed: Any) -> None:
        await self._step("knowledge.note")
        raise_fault(self.faults, "note")
        self.notes.append(note)
        self.stored[till_id, configuration] = replace(self.of(till_id, configuration), **changed)
