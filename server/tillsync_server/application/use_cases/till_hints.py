"""What Epos Now's webhooks say, on its way to every account of the till that it concerns. The till sends to one address only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tillsync_server.application.concurrency.together import gather
from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.errors import RequestError, ResourceExhausted
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.lanes import EnqueueResult, NewHint
from tillsync_server.ports.sales import SaleStore
from tillsync_server.ports.subject_accounts import SubjectAccounts

_ONE_BY_ONE = 16
"""So few hints join the micro-batches of other callers; more go as statements of their own."""
_CHUNK = 500

_Find = Callable[[TillId, Sequence[int]], Awaitable[list[tuple[AccountId, int]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The account whose credentials a webhook brought: its caps count for the delivery."""

    account_id: AccountId
    till_id: TillId
    is_addressed: bool
    """The webhook came to the account's own address: the account is hinted whatever it knows of the subject, and its entry says what
    came of it."""


class TillHints:
    """Committed for every account when a method returns the number of accounts.

    Raises ResourceExhausted, before anything is looked up, when the sender is over its caps. Where another account cannot take its hint
    (over its caps, or its lane locked for long), the hints of all others are committed before its RequestError is raised: the delivery is
    to be sent again, and coalesces.
    """

    def __init__(self, accounts: SubjectAccounts, sales: SaleStore, enqueuer: Enqueuer, admission: Admission) -> None:
        self._accounts = accounts
        self._sales = sales
        self._enqueuer = enqueuer
        self._admission = admission

    async def customers(self, sender: Sender, customer_ids: Sequence[int]) -> int:
        return await self._hint(sender, EntryKind.CUSTOMER, customer_ids, self._accounts.of_customers)

    async def customer_types(self, sender: Sender, type_ids: Sequence[int]) -> int:
        return await self._hint(sender, EntryKind.CUSTOMER_TYPE, type_ids, self._accounts.of_customer_types)

    async def sales(self, sender: Sender, transaction_ids: Sequence[int]) -> None:
        """Sales that say nothing of their customer: who it was is read later, within the till's allowance, and hinted then.
        ResourceExhausted also where too many of the till wait."""
        await self._admission.admit(sender.account_id, len(transaction_ids))
        await self._sales.add(sender.till_id, sender.account_id, transaction_ids)

    async def _hint(self, sender: Sender, kind: EntryKind, subject_ids: Sequence[int], find: _Find) -> int:
        await self._admission.admit(sender.account_id, len(subject_ids))
        wanted: dict[AccountId, dict[int, None]] = {}
        if sender.is_addressed:
            wanted[sender.account_id] = dict.fromkeys(subject_ids)
        # invariant: webhooks-wake-every-account-of-the-till
        for account_id, subject_id in await find(sender.till_id, subject_ids):
            wanted.setdefault(account_id, {})[subject_id] = None
        hints: list[NewHint] = []
        failures: list[Exception] = []
        for account_id, subjects in wanted.items():
            try:
                if account_id != sender.account_id:
                    await self._admission.admit(account_id, len(subjects))
            except ResourceExhausted as error:
                failures.append(error)
            else:
                hints += (NewHint(account_id, kind, subject_id, Priority.LIVE) for subject_id in subjects)
        failures += (result for result in await self._enqueue(hints) if isinstance(result, Exception))
        if failures:
            raise next((error for error in failures if not isinstance(error, RequestError)), failures[0])
        return len(wanted)

    async def _enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        if len(hints) <= _ONE_BY_ONE:
            return await gather(self._enqueuer.enqueue(hint) for hint in hints)
        found: list[EnqueueResult | Exception] = []
        for start in range(0, len(hints), _CHUNK):
            found += await self._enqueuer.enqueue_many(hints[start : start + _CHUNK])
        return found
