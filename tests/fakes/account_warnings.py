"""Warnings of accounts in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from fakes.events import FakeEventOutbox
from tillsync_server.domain.account_warnings import AccountWarning, StrayOutput
from tillsync_server.domain.enums import WarningReason
from tillsync_server.domain.ids import AccountId


@dataclass
class FakeAccountWarnings:
    """Implements ports.accounts.AccountWarnings. Of what ``events`` keeps as refused, and ``others``."""

    events: FakeEventOutbox = field(default_factory=FakeEventOutbox)
    others: dict[AccountId, tuple[AccountWarning, ...]] = field(default_factory=dict)
    """Of what other parts keep, by a test's word."""
    answers: list[tuple[str, StrayOutput | None]] = field(default_factory=list)
    """As they were noted."""

    async def of(self, account_ids: Sequence[AccountId]) -> Mapping[AccountId, tuple[AccountWarning, ...]]:
        found = {account_id: (*self._refused(account_id), *self.others.get(account_id, ())) for account_id in account_ids}
        return {account_id: warnings for account_id, warnings in found.items() if warnings}

    async def note_answer(self, account_id: AccountId, route: str, stray: StrayOutput | None) -> None:
        self.answers.append((route, stray))

    def _refused(self, account_id: AccountId) -> tuple[AccountWarning, ...]:
        kept = self.events.refused.get(account_id, {}).values()
        if not kept:
            return ()
        last = self.events.clock.database_now() - timedelta(seconds=self.events.clock() - max(told for _, _, told in kept))
        detail = max(named for _, named, _ in kept)
        return (AccountWarning(reason=WarningReason.EVENTS_REFUSED, count=len(kept), since=last, last_time=last, detail=detail),)
