"""Turns the shop's answer to a write into the verdict of the entry."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from tillsync_server.application.flows.failure_verdicts import cause_of
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.domain.enums import Outcome, Side
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.domain.shop_values import not_kept_notes
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.shop import WriteResult, WriteStatus

WRITING = "writing the customer to the shop"
NOT_DONE_SECONDS = 15.0
"""Delay before the next attempt if the shop processed no write of the request."""


class WriteVerdicts:
    """Turns results and errors of shop writes into verdicts. ``stage`` names the entry's step in its notes."""

    def __init__(self, context: LaneContext) -> None:
        self._failures = context.failures
        self._services = context.services

    async def of_result(self, result: WriteResult, woo_customer_id: WooCustomerId) -> Verdict:
        match result.status:
            case WriteStatus.UPDATED:
                return Verdict.finished(Outcome.UPDATED, *not_kept_notes(result.not_kept))
            case WriteStatus.UNCHANGED:
                return Verdict.finished(Outcome.UPDATED, "unchanged in the shop: it had these values")
            case _:
                return await self.of_failure(result, woo_customer_id, WRITING)

    async def of_failure(self, result: WriteResult, woo_customer_id: WooCustomerId, stage: str) -> Verdict:
        outcome = Outcome.WOO_NOT_UPDATED
        match result.status:
            case WriteStatus.NOT_FOUND:
                note = f"gone: the shop has no customer {woo_customer_id} any more"
                return replace(Verdict.failed(outcome, note), side=Side.SHOP)
            case WriteStatus.INVALID:
                cause = cause_of(result.error) if result.error is not None else f"refused field: {result.field or 'not named'}"
                status = None if result.error is None else result.error.status
                return replace(Verdict.failed(outcome, f"{stage}: {cause}"), side=Side.SHOP, upstream_status=status)
            case WriteStatus.NOT_DONE:
                because = "the shop did not get to it" if result.error is None else f"in a batch that failed: {cause_of(result.error)}"
                again = self._services.now() + timedelta(seconds=NOT_DONE_SECONDS)
                return Verdict.postponed(outcome, f"{stage}: {because}; it is sent again", not_before=again, side=Side.SHOP)
            case WriteStatus.ERROR:
                if result.error is None:
                    return Verdict.retry(outcome, f"{stage}: failed without a reason", side=Side.SHOP)
                return await self.of_error(result.error, stage)
            case WriteStatus.UPDATED | WriteStatus.UNCHANGED | WriteStatus.STALE:
                raise ValueError(f"{result.status} is no failure")
            case _:
                assert_never(result.status)

    async def of_error(self, error: UpstreamError, stage: str) -> Verdict:
        return await self._failures.classify_error(error, Outcome.WOO_NOT_UPDATED, stage, refusal_is_final=True)


def always_stale(stage: str) -> Verdict:
    return Verdict.retry(
        Outcome.WOO_NOT_UPDATED, f"{stage}: the shop holds a newer version each time; the till is read again", side=Side.SHOP
    )
