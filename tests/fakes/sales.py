"""Sales that wait to be read, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fakes.clock import FakeClock
from tillsync_server.domain.errors import ResourceExhausted
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.sales import ALLOWANCE_SHARE, MAX_WAITING_SALES, WaitingSale


@dataclass
class _Row:
    sale: WaitingSale
    due_at: float
    create_time: float


@dataclass
class FakeSales:
    """Implements ports.sales.SaleStore. Every account has the allowance ``requests_per_minute``."""

    clock: FakeClock = field(default_factory=FakeClock)
    requests_per_minute: int = 300
    rows: dict[tuple[TillId, int], _Row] = field(default_factory=dict)
    next_at: dict[TillId, float] = field(default_factory=dict)

    async def add(self, till_id: TillId, account_id: AccountId, transaction_ids: Sequence[int]) -> None:
        new_ids = sorted(set(transaction_ids))
        if sum(key[0] == till_id for key in self.rows) + len(new_ids) > MAX_WAITING_SALES:
            raise ResourceExhausted("too many sales wait", reason="TOO_MANY_WAITING_SALES", retry_after_seconds=30.0)
        for transaction_id in new_ids:
            row = self.rows.get((till_id, transaction_id))
            if row is not None:
                row.sale = replace(row.sale, revision=row.sale.revision + 1)
                continue
            sale = WaitingSale(
                till_id=till_id, transaction_id=transaction_id, account_id=account_id, revision=1, attempt_count=0, waited_seconds=0.0
            )
            self.rows[till_id, transaction_id] = _Row(sale, self.clock(), self.clock())

    async def claim(self, *, limit: int, lease_seconds: float) -> list[WaitingSale]:
        now = self.clock()
        claimed: list[WaitingSale] = []
        for till_id in sorted({key[0] for key in self.rows}):
            due = [row for key, row in self.rows.items() if key[0] == till_id and row.due_at <= now]
            if not due or self.next_at.get(till_id, now) > now or len(claimed) == limit:
                continue
            row = min(due, key=lambda each: (each.due_at, each.sale.transaction_id))
            row.sale = replace(row.sale, attempt_count=row.sale.attempt_count + 1, waited_seconds=now - row.create_time)
            row.due_at = now + lease_seconds
            self.next_at[till_id] = now + 60.0 * ALLOWANCE_SHARE / self.requests_per_minute
            claimed.append(row.sale)
        return claimed

    async def seconds_until_due(self) -> float | None:
        due = [max(row.due_at, self.next_at.get(key[0], row.due_at)) for key, row in self.rows.items()]
        return min(due) - self.clock() if due else None

    async def done(self, sale: WaitingSale) -> None:
        row = self.rows.get((sale.till_id, sale.transaction_id))
        if row is not None and row.sale.revision == sale.revision:
            del self.rows[sale.till_id, sale.transaction_id]
        else:
            await self.postpone(sale, 0.0)

    async def postpone(self, sale: WaitingSale, seconds: float) -> None:
        row = self.rows.get((sale.till_id, sale.transaction_id))
        if row is not None:
            row.due_at = self.clock() + seconds

    async def pause(self, sale: WaitingSale, seconds: float) -> None:
        self.next_at[sale.till_id] = self.clock() + seconds
        row = self.rows.get((sale.till_id, sale.transaction_id))
        if row is not None:
            row.sale, row.due_at = replace(row.sale, attempt_count=row.sale.attempt_count - 1), self.clock()
