"""The shop client of an account with a bridge. It sends every customer write to the bridge's batch route, also a single one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tillsync_server.adapters.woo.bridge_wire import (
    API_WITH_OPTIONAL_FIELDS,
    REGISTRATION_FIELDS,
    batch_results,
    customer_item,
    is_status,
    is_users,
    is_write_result,
    results_check,
    shop_status,
    shop_users,
    type_body,
    write_result,
)
from tillsync_server.adapters.woo.refusals import BatchRefused
from tillsync_server.adapters.woo.requests import NoOpWrite, ShopRequests
from tillsync_server.adapters.woo.rest_answers import unreadable_error
from tillsync_server.adapters.woo.site_knowledge import BRIDGE_MAX_BATCH, SiteKnowledge
from tillsync_server.domain.customer import CustomerWrite, TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Refused, RunInterrupted, UpstreamError
from tillsync_server.domain.ids import EposCustomerTypeId, WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.shop import ShopStatus, WriteResult, WriteStatus
from tillsync_server.ports.till import WritePermit

NAMESPACE = "/wc-tillsync/v1"
_BATCH = f"{NAMESPACE}/customers/batch"
_NO_OP = NoOpWrite(_BATCH, {"items": []}, results_check(0))


def _too_old_result(write: CustomerWrite) -> WriteResult:
    """Returns INVALID for a write with a missing value. A bridge of API 1 requires every value, so such a write is not sent to it."""
    field = write.values.gaps[0] if write.values is not None else "points"
    text = f"refused field: {field}: Epos Now serves no value for it: correct it in Epos Now, or update the tillsync bridge plugin"
    return WriteResult(status=WriteStatus.INVALID, field=field, error=Refused(Side.SHOP, text, field=field))


class BridgeClient:
    """Implements ``ports.shop.ShopClient``."""

    def __init__(self, requests: ShopRequests, knowledge: SiteKnowledge) -> None:
        self._requests = requests
        self._knowledge = knowledge

    @property
    def max_batch(self) -> int:
        return self._knowledge.max_batch

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        """Writes customers. It splits the writes when ``max_batch`` has become smaller since the caller read it."""
        if len(writes) > BRIDGE_MAX_BATCH:
            raise ValueError(f"writes: at most {BRIDGE_MAX_BATCH}, not {len(writes)}")
        positions_with_gaps = {position for position, write in enumerate(writes) if write.values is not None and write.values.gaps}
        # An older bridge refuses unknown fields, so the client needs its API version. It reads the version once per process.
        names_persons = any(write.registered_at is not None or write.registered_before is not None for write in writes)
        if not (positions_with_gaps or names_persons) or await self._api() >= API_WITH_OPTIONAL_FIELDS:
            return await self._write_all(writes, permit)
        complete_writes = [write for position, write in enumerate(writes) if position not in positions_with_gaps]
        results = iter(await self._write_all(complete_writes, permit) if complete_writes else [])
        return [_too_old_result(write) if position in positions_with_gaps else next(results) for position, write in enumerate(writes)]

    async def _write_all(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        results: list[WriteResult] = []
        while len(results) < len(writes):
            batch = writes[len(results) : len(results) + self.max_batch]
            try:
                results += await self._write(batch, permit)
            except RunInterrupted:
                if not results:
                    raise
                results += [WriteResult(status=WriteStatus.NOT_DONE)] * (len(writes) - len(results))
            except UpstreamError as error:
                if not results:
                    raise
                results += [WriteResult(status=WriteStatus.ERROR, error=error)] * (len(writes) - len(results))
        return results

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: WritePermit) -> WriteResult:
        return await self._write_type("PUT", customer_type.epos_customer_type_id, type_body(customer_type, version), permit)

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: WritePermit) -> WriteResult:
        return await self._write_type("DELETE", type_id, {"version": str(version)}, permit)

    async def read_users(self, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
        if await self._api() < API_WITH_OPTIONAL_FIELDS:
            raise Refused(Side.SHOP, "the tillsync bridge plugin in the shop cannot say who its users are: update it")
        id_list = ",".join(str(each) for each in ids)
        return shop_users(await self._requests.read(f"{NAMESPACE}/customers", f"ids={id_list}", is_expected=is_users), ids)

    async def status(self) -> ShopStatus:
        status = shop_status(await self._requests.read(f"{NAMESPACE}/status", is_expected=is_status))
        self._knowledge.max_batch, self._knowledge.api = status.max_batch, status.api
        return status

    async def check_access(self) -> None:
        await self.status()

    async def probe(self) -> None:
        await self.status()

    @property
    def known_api(self) -> int | None:
        """The bridge's version of the wire. None: this process has not read it yet."""
        return self._knowledge.api

    async def _api(self) -> int:
        return self.known_api if self.known_api is not None else (await self.status()).api

    async def _write(self, batch: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        """Sends one batch. When the shop refuses its size, it lowers ``max_batch`` and returns no results."""
        api = self._knowledge.api or 1
        items = [customer_item(write, api) for write in batch]
        try:
            answer = await self._requests.write(
                "POST", _BATCH, {"items": items}, permit, is_expected=results_check(len(batch)), no_op=_NO_OP
            )
        except BatchRefused:
            if len(batch) == 1:
                raise
            await self._learn_max_batch(len(batch))
            return []
        results = batch_results(answer, batch)
        if any(result.status is WriteStatus.INVALID and result.field in REGISTRATION_FIELDS for result in results):
            # The plugin was replaced by an older one. Read its API again and resend; items already written return UNCHANGED.
            await self.status()
            if (self._knowledge.api or 1) < api:
                return await self._write(batch, permit)
        return results

    async def _learn_max_batch(self, refused_items: int) -> None:
        """Sets ``max_batch`` from the bridge's status. A web server's byte limit does not show there, so half of the items is used then."""
        await self.status()
        if self._knowledge.max_batch >= refused_items:
            self._knowledge.max_batch = refused_items // 2

    async def _write_type(self, method: str, type_id: EposCustomerTypeId, body: dict[str, str], permit: WritePermit) -> WriteResult:
        route = f"{NAMESPACE}/customer-types/{type_id}"
        answer: Any = await self._requests.write(method, route, body, permit, is_expected=is_write_result, no_op=_NO_OP)
        if isinstance(answer, dict) and answer.get("id", type_id) != type_id:
            raise unreadable_error(f"it is not about customer type {type_id}")
        return write_result(answer)
