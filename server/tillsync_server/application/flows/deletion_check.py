"""Decides when a 404 means *gone* (docs/invariants.md#gone).

A read of the same resource must have succeeded under the present configuration within ten minutes. If none did, the check lists page 1
itself. If that fails too, the address or the version is wrong, and nothing is deleted or ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.till_access import TillAccess
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Blocked, Misaddressed, Missing, UpstreamError

_RECORDED_EVERY_SECONDS = 15.0
"""Most reads are not recorded, because each counts for ten minutes."""


@dataclass(slots=True)
class _Resource:
    """The last reads and failures of one resource, in monotonic seconds."""

    read_at: float | None = None
    recorded_at: float | None = None
    failed_at: float = 0.0
    failure: UpstreamError | None = None
    proving: asyncio.Lock = field(default_factory=asyncio.Lock)


class DeletionCheck:
    """One per lease and configuration."""

    def __init__(self, services: FlowServices, account: Account, till_access: TillAccess) -> None:
        self._services = services
        self._till_id = account.till_id
        self._configuration = account.till_configuration
        # types have an API version of their own, and a change of it needs a new proof
        self._types_configuration = f"{account.till_configuration}|types {account.epos.customer_type_api_version.name}"
        self._till_access = till_access
        self._customers = _Resource()
        self._types = _Resource()

    async def of_customer(self, error: UpstreamError) -> UpstreamError | None:
        """Returns None if the customer is gone, else the error to classify. Raises RunInterrupted and the errors of the database."""
        if not isinstance(error, Missing):
            return error
        return await self._of(error, self._customers, self._customers_were_read, self._list_customers)

    async def of_type(self, error: UpstreamError) -> UpstreamError | None:
        """Returns None if the customer type is gone, else the error to classify."""
        if not isinstance(error, Missing):
            return error
        return await self._of(error, self._types, self._types_were_read, self._list_types)

    async def note_customers_read(self, *, last_page: int | None = None) -> None:
        """To call when a customer or a list page was read. ``last_page``: of a completed scan."""
        now = self._services.clock()
        self._customers.read_at = now
        if last_page is not None or _is_record_due(self._customers, now):
            self._customers.recorded_at = now
            await self._services.knowledge.note_customers_read(self._till_id, self._configuration, last_page=last_page)

    async def note_types_read(self) -> None:
        now = self._services.clock()
        self._types.read_at = now
        if _is_record_due(self._types, now):
            self._types.recorded_at = now
            await self._services.knowledge.note_types_read(self._till_id, self._types_configuration)

    async def _of(
        self,
        error: Missing,
        resource: _Resource,
        stored_read: Callable[[], Awaitable[datetime | None]],
        list_it: Callable[[], Awaitable[None]],
    ) -> UpstreamError | None:
        async with resource.proving:  # concurrent callers share one listing
            # invariant: gone-needs-a-proof
            if self._is_recent(resource.read_at) or self._was_recent(await stored_read()):
                return None
            now, failure = self._services.clock(), resource.failure
            if failure is None or now - resource.failed_at >= self._services.settings.probe_reuse_seconds:
                try:
                    await list_it()
                except UpstreamError as failed:
                    resource.failure, resource.failed_at = failed, now
                    failure = failed
                else:
                    resource.failure = None
                    return None
        if not isinstance(failure, Missing | Misaddressed) or isinstance(failure, Blocked):
            return failure  # the list failed for another reason: nothing is proven, and this error is reported
        text = "Epos Now answers 404, and its list cannot be read either: the base address or the API version set for it is wrong"
        return Misaddressed(Side.TILL, text, status=error.status, body_text=error.body_text, is_of_whole_side=True)

    def _is_recent(self, read_at: float | None) -> bool:
        return read_at is not None and self._services.clock() - read_at < self._services.settings.gone_proof_seconds

    def _was_recent(self, read_at: datetime | None) -> bool:
        """``read_at`` comes from the database's clock. If that clock is ahead, a time far in the future counts as no proof."""
        if read_at is None:
            return False
        return abs(self._services.now() - read_at) < timedelta(seconds=self._services.settings.gone_proof_seconds)

    async def _customers_were_read(self) -> datetime | None:
        return (await self._services.knowledge.get(self._till_id, self._configuration)).customers_read_at

    async def _types_were_read(self) -> datetime | None:
        return (await self._services.knowledge.get(self._till_id, self._types_configuration)).types_read_at

    async def _list_customers(self) -> None:
        (await self._till_access.list_page(1)).check()
        await self.note_customers_read()

    async def _list_types(self) -> None:
        await self._till_access.list_types()
        await self.note_types_read()


def _is_record_due(resource: _Resource, now: float) -> bool:
    return resource.recorded_at is None or now - resource.recorded_at >= _RECORDED_EVERY_SECONDS
