"""Enqueues the hints of Epos Now's webhooks for every account of the till that they concern. The till sends a webhook to only one
address."""

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

_MAX_SINGLE_HINTS = 16
"""Up to this number hints join the micro-batches of other callers. More hints use statements of their own."""
_CHUNK = 500

_Find = Callable[[TillId, Sequence[int]], Awaitable[list[tuple[AccountId, int]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """The account whose credentials a webhook has. Its limits apply to the delivery."""

    account_id: AccountId
    till_id: TillId
    is_addressed: bool
    """Whether the webhook came to the account's own address. Then the account is hinted even without a link to the subject, and its entry
    shows the result."""


class TillHints:
    """Enqueues hints. A method returns the number of hinted accounts after the hints of all of them are committed.

    Raises ResourceExhausted before any lookup if the sender is over its limits. If another account cannot accept its hint (over its limits,
    or its lane stays locked), the hints of all others are committed before its RequestError is raised. The sender then repeats the
    delivery, which coalesces.
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
        """Stores sales that do not name their customer. Later the customer is read, within the till's allowance, and hinted. Raises
        ResourceExhausted also if too many sales of the till wait."""
        await self._admission.admit(sender.account_id, len(transaction_ids))
        await self._sales.add(sender.till_id, sender.account_id, transaction_ids)

    async def _hint(self, sender: Sender, kind: EntryKind, subject_ids: Sequence[int], find: _Find) -> int:
        await self._admission.admit(sender.account_id, len(subject_ids))
        concerned: dict[AccountId, dict[int, None]] = {}
        if sender.is_addressed:
            concerned[sender.account_id] = dict.fromkeys(subject_ids)
        # invariant: webhooks-wake-every-account-of-the-till
        for account_id, subject_id in await find(sender.till_id, subject_ids):
            concerned.setdefault(account_id, {})[subject_id] = None
        hints: list[NewHint] = []
        failures: list[Exception] = []
        for account_id, subjects in concerned.items():
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
        return len(concerned)

    async def _enqueue(self, hints: Sequence[NewHint]) -> list[EnqueueResult | Exception]:
        if len(hints) <= _MAX_SINGLE_HINTS:
            return await gather(self._enqueuer.enqueue(hint) for hint in hints)
        found: list[EnqueueResult | Exception] = []
        for start in range(0, len(hints), _CHUNK):
            found += await self._enqueuer.enqueue_many(hints[start : start + _CHUNK])
        return found
