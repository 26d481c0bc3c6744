"""Enqueues hints about till customers and customer types in the Customers Queue, for callers of the API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from tillsync_server.application.engine.enqueuer import Enqueuer
from tillsync_server.application.use_cases.admission import Admission
from tillsync_server.domain.enums import EntryKind, Priority
from tillsync_server.domain.errors import InvalidArgument, RequestError, ResourceExhausted, Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.ports.lanes import EnqueueResult, NewHint

MAX_ID = 2**63 - 1
MAX_BATCH = 500


class SyncRequests:
    def __init__(self, enqueuer: Enqueuer, admission: Admission) -> None:
        self._enqueuer = enqueuer
        self._admission = admission

    async def sync_customer(
        self, account_id: AccountId, epos_customer_id: int, priority: Priority = Priority.LIVE, *, force: bool = False
    ) -> EnqueueResult:
        """Hints a customer. Raises InvalidArgument, ResourceExhausted, NotFound (no such account), Unavailable (its lane stays locked)."""
        _require_id("epos_customer_id", epos_customer_id)
        await self._admission.admit(account_id)
        return await self._enqueuer.enqueue(NewHint(account_id, EntryKind.CUSTOMER, epos_customer_id, priority, force))

    async def sync_customer_type(self, account_id: AccountId, epos_customer_type_id: int) -> EnqueueResult:
        """Hints a customer type after any change of it. The worker reads the type again and follows its present state. Raises as
        :meth:`sync_customer`."""
        _require_id("epos_customer_type_id", epos_customer_type_id)
        await self._admission.admit(account_id)
        return await self._enqueuer.enqueue(NewHint(account_id, EntryKind.CUSTOMER_TYPE, epos_customer_type_id, Priority.LIVE))

    async def sync_customers(
        self, account_id: AccountId, epos_customer_ids: Sequence[int], priority: Priority = Priority.BULK
    ) -> list[EnqueueResult | RequestError]:
        """Hints customers, and returns results by position. A repeated id coalesces. Raises NotFound for the whole call, because the
        account is that of the whole request."""
        if not 1 <= len(epos_customer_ids) <= MAX_BATCH:
            raise InvalidArgument.of("epos_customer_ids", f"must have 1 to {MAX_BATCH} items; send the rest in further calls")
        good = [position for position, customer_id in enumerate(epos_customer_ids) if 0 < customer_id <= MAX_ID]
        accepted = await self._enqueue(account_id, [epos_customer_ids[position] for position in good], priority)
        if len(good) == len(epos_customer_ids):
            return accepted
        results: list[EnqueueResult | RequestError] = [
            _bad_id(f"epos_customer_ids[{position}]") for position in range(len(epos_customer_ids))
        ]
        for position, result in zip(good, accepted, strict=True):
            results[position] = result
        return results

    async def _enqueue(
        self, account_id: AccountId, epos_customer_ids: Sequence[int], priority: Priority
    ) -> list[EnqueueResult | RequestError]:
        if not epos_customer_ids:
            return []
        try:
            await self._admission.admit(account_id, len(epos_customer_ids))
        except ResourceExhausted as error:
            return [error] * len(epos_customer_ids)
        results = await self._enqueuer.enqueue_many(
            [NewHint(account_id, EntryKind.CUSTOMER, customer_id, priority) for customer_id in epos_customer_ids]
        )
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, Unavailable):
                raise result  # an error of the account or the database concerns all items
        return cast("list[EnqueueResult | RequestError]", results)


def _require_id(field: str, value: int) -> None:
    if not 0 < value <= MAX_ID:
        raise _bad_id(field)


def _bad_id(field: str) -> InvalidArgument:
    return InvalidArgument.of(field, "must be greater than 0")
