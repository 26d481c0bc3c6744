"""Create intents in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fakes.clock import FakeClock
from fakes.script import Faults, Step, no_step, raise_fault
from tillsync_server.domain.emails import normalise_email
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.intent import Intent, IntentState


class FakeIntents:
    """Implements ports.tills.IntentStore. A step runs before and after each change, so that a test can stop a caller on either side of
    the commit."""

    def __init__(self, clock: FakeClock | None = None, step: Step = no_step) -> None:
        self._clock = clock or FakeClock()
        self._step = step
        self.rows: dict[tuple[TillId, str], tuple[Intent, str]] = {}
        """Intents with their owners."""
        self.faults: Faults = {}

    def of(self, email: str) -> Intent | None:
        """Returns the intent of this email at any till."""
        found = self.all_of(email)
        return found[0] if found else None

    def all_of(self, email: str) -> list[Intent]:
        return [intent for (_, each), (intent, _) in self.rows.items() if each == normalise_email(email)]

    async def _before(self, method: str) -> None:
        await self._step(f"intents.{method}")
        raise_fault(self.faults, method)

    async def get(self, till_id: TillId, email: str) -> Intent | None:
        await self._before("get")
        row = self.rows.get((till_id, email))
        return None if row is None else replace(row[0], read_at=self._clock.database_now())

    async def open(
        self,
        till_id: TillId,
        emails: tuple[str, ...],
        account_id: AccountId,
        owner: str,
        *,
        settle_seconds: float,
        replaces: tuple[Intent, ...] = (),
    ) -> Intent | None:
        await self._before("open")
        now, replaceable = self._clock.database_now(), {intent.email: intent for intent in replaces}
        conflicting = [
            row[0]
            for email in sorted(emails)
            if (row := self.rows.get((till_id, email))) is not None and not self._may_replace(row[0], replaceable.get(email))
        ]
        for email in () if conflicting else emails:
            opened = Intent(
                till_id=till_id,
                email=email,
                state=IntentState.OPEN,
                account_id=account_id,
                epos_customer_id=None,
                settled_at=now + timedelta(seconds=settle_seconds),
                create_time=now,
                read_at=now,
            )
            self.rows[till_id, email] = (opened, owner)
        await self._step("intents.opened")
        return replace(conflicting[0], read_at=now) if conflicting else None

    def _may_replace(self, stored: Intent, read: Intent | None) -> bool:
        """Whether the stored intent is exactly the one that was read, and is done or settled by the database's clock."""
        if read is None or replace(stored, read_at=read.read_at) != read:
            return False
        return stored.state is IntentState.DONE or stored.settled_at <= self._clock.database_now()

    async def mark_unknown(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        await self._before("mark_unknown")
        for email in emails:
            if (intent := self._own(till_id, email, owner)) is not None and intent.state is IntentState.OPEN:
                self.rows[till_id, email] = (replace(intent, state=IntentState.UNKNOWN), owner)
        await self._step("intents.marked")

    async def complete(self, till_id: TillId, emails: tuple[str, ...], owner: str, customer_id: EposCustomerId) -> None:
        await self._before("complete")
        for email in emails:
            if (intent := self._own(till_id, email, owner)) is not None and intent.state is not IntentState.DONE:
                self.rows[till_id, email] = (replace(intent, state=IntentState.DONE, epos_customer_id=customer_id), owner)
        await self._step("intents.completed")

    async def clear(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        await self._before("clear")
        for email in emails:
            if (intent := self._own(till_id, email, owner)) is not None and intent.state is IntentState.OPEN:
                del self.rows[till_id, email]
        await self._step("intents.cleared")

    def _own(self, till_id: TillId, email: str, owner: str) -> Intent | None:
        intent, intent_owner = self.rows.get((till_id, email), (None, ""))
        return intent if intent_owner == owner else None
