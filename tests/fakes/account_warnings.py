"""Account warnings in memory."""

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
    """Implements ports.accounts.AccountWarnings. Reads the refused events of ``events``, and adds ``others``."""

    events: FakeEventOutbox = field(default_factory=FakeEventOutbox)
    others: dict[AccountId, tuple[AccountWarning, ...]] = field(default_factory=dict)
    """Further warnings, set by tests."""
    answers: list[tuple[str, StrayOutput | None]] = field(default_factory=list)
    """Noted answers, in order."""

    async def of(self, account_ids: Sequence[AccountId]) -> Mapping[AccountId, tuple[AccountWarning, ...]]:
        found = {account_id: (*self._refused(account_id), *self.others.get(account_id, ())) for account_id in account_ids}
        return {account_id: warnings for account_id, warnings in found.items() if warnings}

    async def note_answer(self, account_id: AccountId, route: str, stray: StrayOutput | None) -> None:
        self.answers.append((route, stray))

    def _refused(self, account_id: AccountId) -> tuple[AccountWarning, ...]:
        refused = self.events.refused.get(account_id, {}).values()
        if not refused:
            return ()
        last = self.events.clock.database_now() - timedelta(seconds=self.events.clock() - max(sent_at for _, _, sent_at in refused))
        detail = max(field_name for _, field_name, _ in refused)
        return (AccountWarning(reason=WarningReason.EVENTS_REFUSED, count=len(refused), since=last, last_time=last, detail=detail),)
