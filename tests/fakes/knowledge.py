"""What is known of tills, in memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from fakes.clock import FakeClock
from fakes.script import Faults, Step, no_step, raise_fault
from tillsync_server.domain.ids import TillId
from tillsync_server.ports.tills import TillKnowledge


class FakeKnowledge:
    """Implements ports.tills.TillKnowledgeStore. ``notes``: what was noted, in order."""

    def __init__(self, clock: FakeClock | None = None, step: Step = no_step) -> None:
        self._clock = clock or FakeClock()
        self._step = step
        self.known: dict[tuple[str, str], TillKnowledge] = {}
        self.faults: Faults = {}
        self.notes: list[str] = []

    def of(self, till_id: TillId, configuration: str) -> TillKnowledge:
        return self.known.get((till_id, configuration), TillKnowledge())

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

    async def _note(self, note: str, till_id: TillId, configuration: str, **changed: Any) -> None:
        await self._step("knowledge.note")
        raise_fault(self.faults, "note")
        self.notes.append(note)
        self.known[till_id, configuration] = replace(self.of(till_id, configuration), **changed)
