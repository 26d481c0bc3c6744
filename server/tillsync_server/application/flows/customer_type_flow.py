"""Copies a till customer type to the shop: reads the type and PUTs it, or DELETEs it if the type is gone at the till."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from tillsync_server.application.flows.customer_flow import TILL_ONLY, UNCHANGED
from tillsync_server.application.flows.failure_verdicts import cause_of, effect_unknown, type_comment
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.write_verdicts import NOT_DONE_SECONDS
from tillsync_server.domain.customer import TillCustomerType, decimal_text
from tillsync_server.domain.enums import Outcome, Priority, Side
from tillsync_server.domain.errors import RunInterrupted, UpstreamError
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.domain.shown_text import shown
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry
from tillsync_server.ports.shop import WriteResult, WriteStatus

_FAILED = Outcome.TYPE_REQUEST_FAILED
_READING = "reading the customer type from Epos Now"
_PUTTING = "writing the customer type to the shop"
_DELETING = "deleting the customer type in the shop"


class CustomerTypeFlow:
    """One per lease and configuration."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self._services = context.services
        self._account = context.account
        # LIVE entries have slots of their own, so that they do not wait behind a sweep
        self._slots = {priority: asyncio.Semaphore(context.services.settings.till_concurrency) for priority in Priority}

    async def run(self, entry: ClaimedEntry) -> Verdict:
        """Returns a verdict for all that till and shop answer. Raises RunInterrupted and the errors of the database."""
        if not self._account.customer_sync_enabled:
            return Verdict.skipped(Outcome.SYNC_DISABLED)
        if (missing := self._context.failures.missing_settings(Side.TILL, _FAILED)) is not None:
            return missing
        async with self._slots[entry.priority]:
            return await self._sync(entry, EposCustomerTypeId(entry.subject_id))

    async def _sync(self, entry: ClaimedEntry, type_id: EposCustomerTypeId) -> Verdict:
        at_least = 0
        for _ in range(self._services.settings.stale_rounds):
            try:
                customer_type = await self._read(type_id, RequestClass.of(entry.priority))
            except UpstreamError as error:
                return await self._classify_error(error, _READING)
            content_hash = None if customer_type is None else self._content_hash(customer_type)
            if content_hash is not None and not at_least and not entry.force and await self._stored_hash(type_id) == content_hash:
                return _labelled(replace(Verdict.finished(Outcome.UPDATED, UNCHANGED), sides_met=TILL_ONLY), customer_type)
            stage = _DELETING if customer_type is None else _PUTTING
            if (missing := self._context.failures.missing_settings(Side.SHOP, _FAILED)) is not None:
                return _labelled(missing if self._account.shop.has_bridge else _needs_bridge(stage), customer_type)
            try:
                result = await self._write(entry, customer_type, at_least)
            except UpstreamError as error:
                if effect_unknown(error):
                    await self._confirm(type_id, None, gone=customer_type is None)
                return _labelled(await self._classify_error(error, stage, refusal_is_final=True), customer_type)
            if result.status is not WriteStatus.STALE:
                return _labelled(await self._of_result(result, type_id, content_hash, stage), customer_type)
            at_least = result.version or 0
        text = "the shop holds a newer version each time; the till is read again"
        return Verdict.retry(_FAILED, f"{stage}: {text}", comment=text, side=Side.SHOP)

    async def _read(self, type_id: EposCustomerTypeId, request_class: RequestClass) -> TillCustomerType | None:
        """Returns None if the type is proven gone. Raises UpstreamError."""
        try:
            customer_type = await self._context.till_of(request_class).read_customer_type(type_id)
        except UpstreamError as error:
            unproven = await self._context.deletion_check.of_type(error)
            if unproven is not None:
                raise unproven from error
            return None
        await self._context.deletion_check.note_types_read()
        return customer_type

    async def _write(self, entry: ClaimedEntry, customer_type: TillCustomerType | None, at_least: int) -> WriteResult:
        lane, type_id = self._context.lane, EposCustomerTypeId(entry.subject_id)
        shop = self._context.shop_of(RequestClass.of(entry.priority))
        await lane.renew_if_needed()
        self._context.gates[Side.SHOP].check()
        version = await self._services.shop_state.next_type_version(
            lane.lease,
            type_id,
            at_least=at_least,
            # invariant: type-writes-rest-on-current-settings
            settings_of=self._account.update_time,
        )
        if version is None:
            raise RunInterrupted("the lane has another owner, or the settings have changed")
        if customer_type is None:
            return await shop.delete_customer_type(type_id, version, lane)
        return await shop.put_customer_type(customer_type, version, lane)

    async def _of_result(self, result: WriteResult, type_id: EposCustomerTypeId, content_hash: bytes | None, stage: str) -> Verdict:
        gone = content_hash is None
        match result.status:
            case WriteStatus.UPDATED | WriteStatus.UNCHANGED:
                await self._confirm(type_id, content_hash, gone=gone)
                return Verdict.finished(Outcome.UPDATED, *(["deleted in Epos Now, and so in the shop"] if gone else []))
            case WriteStatus.NOT_FOUND if gone:
                await self._confirm(type_id, None, gone=True)
                return Verdict.finished(Outcome.UPDATED, "deleted in Epos Now; the shop did not have it")
            case WriteStatus.NOT_FOUND:
                text = "the shop does not know this customer type"
                return Verdict.retry(_FAILED, f"{stage}: {text}", comment=text, side=Side.SHOP)
            case WriteStatus.INVALID:
                text = cause_of(result.error) if result.error is not None else f"refused field: {result.field or 'not named'}"
                shop_text = result.error.body_text if result.error is not None else ""
                return replace(Verdict.failed(_FAILED, f"{stage}: {text}", comment=shop_text or text), side=Side.SHOP)
            case WriteStatus.NOT_DONE:
                text = "the shop did not get to it; it is sent again"
                again = self._services.now() + timedelta(seconds=NOT_DONE_SECONDS)
                verdict = Verdict.postponed(_FAILED, f"{stage}: {text}", not_before=again, side=Side.SHOP)
                return replace(verdict, comment=text)
            case WriteStatus.ERROR:
                if result.error is None:
                    text = "failed without a reason"
                    return Verdict.retry(_FAILED, f"{stage}: {text}", comment=text, side=Side.SHOP)
                if effect_unknown(result.error):
                    await self._confirm(type_id, None, gone=gone)
                return await self._classify_error(result.error, stage, refusal_is_final=True)
            case WriteStatus.STALE:
                raise ValueError("a stale write is sent again")
            case _:
                assert_never(result.status)

    async def _stored_hash(self, type_id: EposCustomerTypeId) -> bytes | None:
        return await self._services.shop_state.known_type_hash(self._context.lane.lease, type_id)

    async def _confirm(self, type_id: EposCustomerTypeId, content_hash: bytes | None, *, gone: bool) -> None:
        await self._services.shop_state.confirm_type(self._context.lane.lease, type_id, content_hash, gone=gone)

    async def _classify_error(self, error: UpstreamError, stage: str, *, refusal_is_final: bool = False) -> Verdict:
        return await self._context.failures.classify_error(
            error, _FAILED, stage, comment=type_comment(error), refusal_is_final=refusal_is_final
        )

    def _content_hash(self, customer_type: TillCustomerType) -> bytes:
        """Returns a hash of 16 bytes over the written fields and their target."""
        shop = self._account.shop
        target = [shop.base_url, shop.bridge_secret, customer_type.epos_customer_type_id]
        fields = [customer_type.name, decimal_text(customer_type.discount), customer_type.description]
        return hashlib.blake2b(json.dumps([target, fields]).encode(), digest_size=16).digest()


def _needs_bridge(stage: str) -> Verdict:
    text = "customer types need the tillsync bridge plugin: install it in the shop and connect it"
    return replace(Verdict.failed(_FAILED, f"{stage}: {text}", comment=text), side=Side.SHOP)


def _labelled(verdict: Verdict, customer_type: TillCustomerType | None) -> Verdict:
    label = "" if customer_type is None else shown(customer_type.name, most=100)
    return replace(verdict, subject_label=label) if label else verdict
