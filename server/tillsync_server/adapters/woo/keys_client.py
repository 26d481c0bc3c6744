"""The shop client of an account without a bridge. It writes user metas with ``wc/v3/customers``, in batches, or in single requests when the
shop refuses batches.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from tillsync_server.adapters.woo.bridge_wire import registered_time
from tillsync_server.adapters.woo.customer_fields import customer_body, invalid_result, is_another_person, stored_result
from tillsync_server.adapters.woo.refusals import NO_SUCH_USER, BatchRefused
from tillsync_server.adapters.woo.requests import INDEX_QUERY, NoOpWrite, ShopRequests, is_index
from tillsync_server.adapters.woo.rest_answers import list_check, unreadable_error, wp_error_of
from tillsync_server.adapters.woo.settings import WooAdapterSettings
from tillsync_server.adapters.woo.single_writes import write_one_by_one
from tillsync_server.adapters.woo.site_knowledge import SiteKnowledge
from tillsync_server.domain.customer import CustomerWrite, TillCustomerType
from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Misaddressed, Missing, Refused, ServerFailure, Unreadable
from tillsync_server.domain.ids import EposCustomerTypeId, WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.shop import ShopStatus, WriteResult, WriteStatus
from tillsync_server.ports.till import WritePermit

KEYS_MAX_BATCH = 100
"""WooCommerce's limit of ``batch``. It refuses a larger batch as a whole with 413."""
_CUSTOMERS = "/wc/v3/customers"
_BATCH = f"{_CUSTOMERS}/batch"
_NO_OP = NoOpWrite(_BATCH, {"update": []}, lambda value: not value or (isinstance(value, Mapping) and "update" in value))
"""A batch without items. WooCommerce answers it with an empty array or object."""
OTHER_PERSON_FIELD = "date_created"
"""``WriteResult.field`` when the user id belongs to another person than the write."""


class KeysClient:
    """Implements ``ports.shop.ShopClient``."""

    def __init__(
        self,
        requests: ShopRequests,
        knowledge: SiteKnowledge,
        settings: WooAdapterSettings,
        secrets: tuple[str, ...],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._requests = requests
        self._knowledge = knowledge
        self._settings = settings
        self._secrets = secrets
        self._clock = clock

    @property
    def max_batch(self) -> int:
        return self._settings.single_writes_per_call if self._batch_is_refused else KEYS_MAX_BATCH

    @property
    def _batch_is_refused(self) -> bool:
        return self._clock() < self._knowledge.batch_refused_until

    async def write_customers(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        """Writes customers. It sends no versions, because WooCommerce does not compare them. Invalid writes are INVALID and not sent."""
        if len(writes) > KEYS_MAX_BATCH:
            raise ValueError(f"writes: at most {KEYS_MAX_BATCH}, not {len(writes)}")
        invalid_results = [invalid_result(write) for write in writes]
        valid_writes = [write for write, invalid in zip(writes, invalid_results, strict=True) if invalid is None]
        results: Iterator[WriteResult] = iter(())
        if valid_writes:
            results = iter(await self._undo_writes_to_others(valid_writes, await self._write(valid_writes, permit), permit))
        return [invalid if invalid is not None else next(results) for invalid in invalid_results]

    async def put_customer_type(self, customer_type: TillCustomerType, version: int, permit: WritePermit) -> WriteResult:
        _raise_needs_bridge("customer types need the tillsync bridge plugin: install it in the shop and connect it")

    async def delete_customer_type(self, type_id: EposCustomerTypeId, version: int, permit: WritePermit) -> WriteResult:
        _raise_needs_bridge("customer types need the tillsync bridge plugin: install it in the shop and connect it")

    async def read_users(self, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
        include = ",".join(str(each) for each in ids)
        query = f"include={include}&role=all&per_page={KEYS_MAX_BATCH}&_fields=id,date_created"
        rows = await self._requests.read(_CUSTOMERS, query, is_expected=list_check("id", "date_created"))
        if not isinstance(rows, list):
            raise unreadable_error("the list of its customers is no list")
        users = {row["id"]: row.get("date_created") for row in rows if isinstance(row, Mapping) and row.get("id") in ids}
        return {WooCustomerId(each): ShopUser(WooCustomerId(each), registered_time(registered)) for each, registered in users.items()}

    async def status(self) -> ShopStatus:
        _raise_needs_bridge("the shop's status comes from the tillsync bridge plugin: install it in the shop and connect it")

    async def check_access(self) -> None:
        found = await self._requests.read(_CUSTOMERS, "per_page=1&role=all&_fields=id", is_expected=list_check("id"))
        if not isinstance(found, list):
            raise unreadable_error("the list of its customers is no list")

    async def probe(self) -> None:
        index = await self._requests.read("/", INDEX_QUERY, is_expected=is_index)
        namespaces = index.get("namespaces") if isinstance(index, Mapping) else None
        if not isinstance(namespaces, list):
            raise unreadable_error("the index of its REST API has no namespaces")
        if "wc/v3" not in namespaces:
            text = "WooCommerce is not active at the shop's address (no wc/v3 in its REST API): activate it, or correct the base address"
            raise Misaddressed(Side.SHOP, text)

    async def _write(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        if not self._batch_is_refused:
            try:
                return await self._batch(writes, permit)
            except BatchRefused:
                self._knowledge.batch_refused_until = self._clock() + self._settings.batch_refused_seconds
        return await write_one_by_one(lambda write: self._put(write, permit), writes, at_once=self._settings.single_writes_at_once)

    async def _undo_writes_to_others(
        self, writes: Sequence[CustomerWrite], results: list[WriteResult], permit: WritePermit
    ) -> list[WriteResult]:
        """Removes the values from users who turned out to be another person. wc/v3 shows the person only in the answer to the write."""
        for write, result in zip(writes, results, strict=True):
            if result.status is WriteStatus.NOT_FOUND and result.field == OTHER_PERSON_FIELD:
                await self._put(replace(write, values=None, as_of=None, registered_at=None, registered_before=None), permit)
        return results

    async def _batch(self, writes: Sequence[CustomerWrite], permit: WritePermit) -> list[WriteResult]:
        bodies = [customer_body(write) for write in writes]
        items = [{"id": write.woo_customer_id, **body} for write, body in zip(writes, bodies, strict=True)]
        ids = [write.woo_customer_id for write in writes]

        def is_expected(value: Any) -> bool:
            return _is_answer_to_batch(value, ids)

        answer = await self._requests.write("POST", _BATCH, {"update": items}, permit, is_expected=is_expected, no_op=_NO_OP)
        rows = answer.get("update") if isinstance(answer, Mapping) else None
        if not isinstance(rows, list):
            raise unreadable_error("it has no list of updated customers")
        if len(rows) != len(writes):
            raise unreadable_error(f"{len(rows)} results for {len(writes)} customers")
        return [self._batch_result(row, write, body) for row, write, body in zip(rows, writes, bodies, strict=True)]

    def _batch_result(self, row: Any, write: CustomerWrite, body: Mapping[str, Any]) -> WriteResult:
        """Reads the result of one item. Raises Unreadable for a row of another customer, because the whole answer is in doubt then."""
        failed = row.get("error") if isinstance(row, Mapping) else None
        known_ids = (write.woo_customer_id,) if failed is None else (write.woo_customer_id, 0)  # Other versions answer 0 in an error.
        if not isinstance(row, Mapping) or isinstance(row.get("id"), bool) or row.get("id") not in known_ids:
            raise unreadable_error(f"a result is not that of customer {write.woo_customer_id}")
        if failed is None:
            return _compare(write, body, row)
        error = wp_error_of(failed, self._secrets)
        if error is None:
            raise unreadable_error(f"the error of customer {write.woo_customer_id} has no code")
        if error.code in NO_SUCH_USER:
            return WriteResult(status=WriteStatus.NOT_FOUND)
        if (error.status or 0) >= 500:
            failure = ServerFailure(
                Side.SHOP, f"the shop failed on this customer ({error.summary}): see its PHP error log", status=error.status
            )
            return WriteResult(status=WriteStatus.ERROR, error=failure)
        named = f"refused field: {error.field}" if error.field else "the shop refuses this customer"
        refused = Refused(
            Side.SHOP,
            f"{named} ({error.summary}): correct the customer in the shop's admin"[:500],
            status=error.status,
            body_text=error.message,
            field=error.field,
        )
        return _refused_result(refused)

    async def _put(self, write: CustomerWrite, permit: WritePermit) -> WriteResult:
        """Writes one customer. Raises only errors that concern more than this customer."""
        body = customer_body(write)
        try:
            answer = await self._put_body(write, body, permit)
        except Missing:
            return WriteResult(status=WriteStatus.NOT_FOUND)
        except Refused as refused:
            return _refused_result(refused)
        if not isinstance(answer, Mapping) or isinstance(answer.get("id"), bool) or answer.get("id") != write.woo_customer_id:
            raise unreadable_error(f"it is not customer {write.woo_customer_id}")
        return _compare(write, body, answer)

    async def _put_body(self, write: CustomerWrite, body: dict[str, Any], permit: WritePermit) -> Any:
        route = f"{_CUSTOMERS}/{write.woo_customer_id}"

        def is_customer(value: Any) -> bool:
            """The result is compared by the metas. No other object of the shop has this id and metas."""
            return isinstance(value, Mapping) and value.get("id") == write.woo_customer_id and "meta_data" in value

        try:
            return await self._requests.write("PUT", route, body, permit, is_expected=is_customer, no_op=NoOpWrite(route, {}, is_customer))
        except Misaddressed as error:
            if error.status != 404:
                raise
            await self.check_access()
            # The route names this customer, and the list of customers is readable. So the 404 concerns this customer.
            text = f"the shop does not serve this customer, others it does: {error.text}"[:500]
            raise Unreadable(Side.SHOP, text, status=404, body_text=error.body_text) from error


def _is_answer_to_batch(value: Any, ids: Sequence[int]) -> bool:
    """Whether a value is the answer to a batch of ``ids``. wc/v3 has no envelope of tillsync, so the ids must match by position.

    The id of a failed item may be 0.
    """
    rows = value.get("update") if isinstance(value, Mapping) else None
    if not isinstance(rows, list) or len(rows) != len(ids):
        return False
    return all(isinstance(row, Mapping) and row.get("id") in (user_id, 0) for row, user_id in zip(rows, ids, strict=True))


def _compare(write: CustomerWrite, body: Mapping[str, Any], answer: Mapping[str, Any]) -> WriteResult:
    try:
        if is_another_person(write, answer):
            return WriteResult(status=WriteStatus.NOT_FOUND, field=OTHER_PERSON_FIELD)
        return stored_result(body, answer)
    except Unreadable as error:
        return WriteResult(status=WriteStatus.ERROR, field=error.field, error=error)


def _refused_result(refused: Refused) -> WriteResult:
    if refused.field is not None:
        return WriteResult(status=WriteStatus.INVALID, field=refused.field, error=refused)
    return WriteResult(status=WriteStatus.ERROR, error=refused)


def _raise_needs_bridge(text: str) -> NoReturn:
    raise Refused(Side.SHOP, text)
