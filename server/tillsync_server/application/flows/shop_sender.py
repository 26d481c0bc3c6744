"""Sends batches of writes to a shop, records the answers, and resolves the writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tillsync_server.application.flows.failure_verdicts import effect_unknown
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.shop_write import QueuedWrite, ShopWrite, fail
from tillsync_server.domain.customer import CustomerWrite
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Refused, RunInterrupted, ServerFailure, Unanswered, Unreadable, UpstreamError
from tillsync_server.domain.ids import EposCustomerId, WooCustomerId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.lanes import LaneLease
from tillsync_server.ports.links import ConfirmedWrite, ShopStateStore, WriteBasis
from tillsync_server.ports.shop import WriteResult, WriteStatus

_UNANSWERED_COST = 8
"""Cost of an unanswered request in ``split_requests``, because it takes the whole timeout."""


class ShopSender:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._settings = context.services.settings

    async def send(self, items: list[QueuedWrite]) -> None:
        """Sends the batch, and sends a failed batch again in parts. Every item without a result gets the error that this method raises.

        The first half of the budget goes to all parts in turn, so that good items succeed early. The other half goes to the smallest parts,
        until the bad items are alone. When the budget is used up, the remaining items become NOT_DONE, but only once an item has a result.
        Otherwise one item that the shop never answers would delay the others for ever.
        """
        groups, budget, splits, is_any_resolved = [items], self._settings.split_requests, False, False
        last_error: UpstreamError | None = None
        while groups:
            if splits and budget <= 0 and is_any_resolved:
                for item in (item for group in groups for item in group):
                    item.resolve(WriteResult(status=WriteStatus.NOT_DONE, error=last_error))
                return
            in_turn = budget > self._settings.split_requests / 2
            group = groups.pop(0 if in_turn else min(range(len(groups)), key=lambda position: len(groups[position])))
            budget -= splits
            try:
                group, batch = await self._batch(group)
                if not batch:
                    is_any_resolved = True
                    continue
                shop = self._context.shop_of(RequestClass.LIVE if any(item.write.is_live for item in group) else RequestClass.BULK)
                results = await shop.write_customers(batch, self._context.lane)
            except UpstreamError as error:
                await self._record_unknown(group, error)
                if len(group) > 1 and await self._may_be_one_items_fault(error):
                    splits, last_error = True, error
                    budget -= _UNANSWERED_COST if isinstance(error, Unanswered) else 0
                    half = (len(group) + 1) // 2
                    groups += [group[:half], group[half:]]
                    continue
                fail(group, error)
                is_any_resolved = True
                if await self._context.failures.is_account_wide(error):
                    for group in groups:
                        fail(group, error)
                    return
            else:
                await self._record(group, results)
                is_any_resolved = True

    async def _batch(self, group: list[QueuedWrite]) -> tuple[list[QueuedWrite], list[CustomerWrite]]:
        """Returns the items whose links and settings have not changed, each with its version. The others fail with RunInterrupted and run
        again."""
        lane = self._context.lane
        await lane.renew_if_needed()
        self._context.gates[Side.SHOP].check()
        writes = [item.write for item in group]
        at_least = {write.woo_customer_id: write.at_least for write in writes if write.at_least}
        basis = WriteBasis(
            # invariant: customer-writes-rest-on-current-settings
            self._context.account.update_time,
            {write.woo_customer_id: write.epos_customer_id for write in writes if write.values is not None},
            [write.woo_customer_id for write in writes if write.values is None],
        )
        versions = await self._services.shop_state.next_versions(
            lane.lease, [write.woo_customer_id for write in writes], at_least=at_least, basis=basis
        )
        changed = [item for item in group if item.write.woo_customer_id not in versions]
        fail(changed, RunInterrupted("the lane has another owner, or settings or links have changed"))
        group = [item for item in group if item.write.woo_customer_id in versions]
        return group, [
            CustomerWrite(
                woo_customer_id=write.woo_customer_id,
                version=versions[write.woo_customer_id],
                values=write.values,
                as_of=write.as_of,
                registered_at=write.registered_at,
                registered_before=write.registered_before,
                epos_customer_id=write.epos_customer_id,
            )
            for write in (item.write for item in group)
        ]

    async def _may_be_one_items_fault(self, error: UpstreamError) -> bool:
        match error:
            case Refused():
                return True
            case Unreadable() if error.is_of_whole_side:
                return False
            case ServerFailure() | Unanswered() | Unreadable():
                return await self._context.failures.probe(Side.SHOP) is None
            case _:
                return False

    async def _record_unknown(self, group: Sequence[QueuedWrite], error: UpstreamError) -> None:
        if effect_unknown(error):
            cleared = [_confirmed(item.write, None) for item in group if item.write.values is not None]
            if cleared:
                await self._services.shop_state.confirm(self._context.lane.lease, cleared)

    async def _record(self, group: Sequence[QueuedWrite], results: Sequence[WriteResult]) -> None:
        """Records the results in the links, and then resolves the writes."""
        answers = list(zip(group, results, strict=True))
        changes = _LinkChanges()
        for item, result in answers:
            changes.add(item.write, result)
        await changes.store(self._services.shop_state, self._context.lane.lease)
        is_any_done = any(result.status is not WriteStatus.NOT_DONE for result in results)
        for item, result in answers:
            if result.status is WriteStatus.NOT_DONE and is_any_done and not item.result.done():
                item.must_queue_again = True
            else:
                item.resolve(result)


@dataclass(slots=True)
class _LinkChanges:
    """The changes that the answers of one request make to the links."""

    confirmed: list[ConfirmedWrite] = field(default_factory=list)
    removed: list[WooCustomerId] = field(default_factory=list)
    gone: dict[WooCustomerId, EposCustomerId] = field(default_factory=dict)

    def add(self, write: ShopWrite, result: WriteResult) -> None:
        is_removal = write.values is None
        match result.status:
            case WriteStatus.UPDATED | WriteStatus.UNCHANGED | WriteStatus.NOT_FOUND if is_removal:
                self.removed.append(write.woo_customer_id)
            case WriteStatus.UPDATED | WriteStatus.UNCHANGED:
                self.confirmed.append(_confirmed(write, write.content_hash))
            case WriteStatus.NOT_FOUND:
                self.gone[write.woo_customer_id] = write.epos_customer_id
            case WriteStatus.ERROR if not is_removal and result.error is not None and effect_unknown(result.error):
                self.confirmed.append(_confirmed(write, None))

    async def store(self, state: ShopStateStore, lease: LaneLease) -> None:
        if self.confirmed:
            await state.confirm(lease, self.confirmed)
        if self.removed:
            await state.removal_done(lease, self.removed)
        if self.gone:
            await state.mark_gone(lease, woo=list(self.gone), of=list(self.gone.values()))


def _confirmed(write: ShopWrite, content_hash: bytes | None) -> ConfirmedWrite:
    as_of = None if content_hash is None else write.as_of
    return ConfirmedWrite(write.epos_customer_id, write.woo_customer_id, content_hash, as_of)
