"""Items and results of the bridge's wire (docs/bridge/wire.md).

int64 versions are sent as texts, because JavaScript and 32-bit PHP lose digits of large numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tillsync_server.adapters.http_client import clean_text, name_of
from tillsync_server.adapters.woo.rest_answers import AnswerCheck, unreadable_error
from tillsync_server.adapters.woo.site_knowledge import BRIDGE_MAX_BATCH
from tillsync_server.domain.account import DEFAULT_PRICE_DECIMALS, MOST_PRICE_DECIMALS
from tillsync_server.domain.customer import CustomerWrite, TillCustomerType, decimal_text
from tillsync_server.domain.ids import WooCustomerId
from tillsync_server.domain.shop_users import ShopUser
from tillsync_server.ports.shop import ShopStatus, WriteResult, WriteStatus

BRIDGE_APIS = (1, 2, 3)
"""Versions of the wire that the service speaks. A bridge of API 1 refuses every field that API 1 does not have, so none is sent to it. From
API 2 on a bridge ignores unknown fields and keeps its stored value when points, credit or type_id is missing."""
API_WITH_OPTIONAL_FIELDS = 2
"""From this version on an item may omit points, credit or type_id, and names its person by the time of registration."""
API_WITH_HISTORY = 3
"""From this version on an item names its till customer, and the bridge says what it stored since a time."""
REGISTRATION_FIELDS = frozenset({"registered", "registered_before"})
_INT64_MAX = 2**63 - 1
_MAX_DECIMAL_PLACES = 6
"""Decimal places that a bridge accepts. A till computes with floats and may serve more."""
_READ_BACK_FIELDS = ("first_name", "last_name", "phone")
_WIRE_STATUSES = {
    status.value: status
    for status in (
        WriteStatus.UPDATED,
        WriteStatus.UNCHANGED,
        WriteStatus.STALE,
        WriteStatus.NOT_FOUND,
        WriteStatus.INVALID,
        WriteStatus.NOT_DONE,
    )
}


def rfc3339(moment: datetime) -> str:
    """Returns UTC such as ``2026-01-02T03:04:05Z``. Raises ValueError for a time without a zone."""
    if moment.tzinfo is None:
        raise ValueError("as_of: needs a time zone")
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def read_time_of(write: CustomerWrite) -> str:
    """Returns the time of the till read in RFC 3339. Raises ValueError when the write has none."""
    if write.as_of is None:
        raise ValueError("as_of: values are written with the time of the till read that brought them")
    return rfc3339(write.as_of)


def customer_item(write: CustomerWrite, api: int = 1) -> dict[str, Any]:
    """Returns the item of a write for a bridge of version ``api``.

    From API 2 on the item names its person, and the bridge answers ``not_found`` when another person has the user id.
    """
    head: dict[str, Any] = {"user_id": write.woo_customer_id, "version": str(write.version)}
    values = write.values
    if values is None:
        return {**head, "remove": True}
    texts = {
        "points": values.points,
        "credit": values.credit,
        "first_name": values.first_name,
        "last_name": values.last_name,
        "phone": values.phone,
    }
    if api >= API_WITH_OPTIONAL_FIELDS:
        times = {"registered": write.registered_at, "registered_before": write.registered_before}
        head |= {name: rfc3339(time) for name, time in times.items() if time is not None}
    if api >= API_WITH_HISTORY and write.epos_customer_id is not None:
        head["epos_customer_id"] = str(write.epos_customer_id)
    return {
        **head,
        **({} if values.keeps_type else {"type_id": values.type_id}),
        "as_of": read_time_of(write),
        **{name: text for name, text in texts.items() if text is not None},
    }


def type_body(customer_type: TillCustomerType, version: int) -> dict[str, str]:
    return {
        "version": str(version),
        "name": customer_type.name,
        "discount": decimal_text(round(customer_type.discount, _MAX_DECIMAL_PLACES)),
        "description": customer_type.description,
    }


def results_check(count: int) -> AnswerCheck:
    """Returns a check whether a value is the answer to a batch of ``count`` items."""
    return lambda value: isinstance(value, Mapping) and isinstance(value.get("results"), list) and len(value["results"]) == count


def is_write_result(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("status") in _WIRE_STATUSES


def is_status(value: Any) -> bool:
    return isinstance(value, Mapping) and "bridge_version" in value


def is_users(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("customers"), list)


def batch_results(value: Any, writes: Sequence[CustomerWrite]) -> list[WriteResult]:
    """Returns the results in the order of ``writes``. Raises Unreadable unless each write has exactly one result at its position."""
    results = value.get("results") if isinstance(value, Mapping) else None
    if not isinstance(results, list):
        raise unreadable_error("it has no list of results")
    if len(results) != len(writes):
        raise unreadable_error(f"{len(results)} results for {len(writes)} customers")
    found: list[WriteResult] = []
    for position, (row, write) in enumerate(zip(results, writes, strict=True)):
        user_id = row.get("user_id") if isinstance(row, Mapping) else None
        if isinstance(user_id, bool) or user_id != write.woo_customer_id:
            raise unreadable_error(f"result {position} is not that of customer {write.woo_customer_id}")
        found.append(write_result(row))
    return found


def write_result(row: Any) -> WriteResult:
    """Reads one result. Raises Unreadable."""
    status = row.get("status") if isinstance(row, Mapping) else None
    known = _WIRE_STATUSES.get(status) if isinstance(status, str) else None
    if known is None:
        raise unreadable_error("a result has no status that this service knows: the versions of plugin and service do not fit")
    version = _version(row.get("version"))
    if known is WriteStatus.STALE and version is None:
        raise unreadable_error("a stale result does not say which version the shop holds")
    return WriteResult(status=known, version=version, field=named_field(row), not_kept=_not_kept(row))


def _not_kept(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the names and phone that the bridge wrote and did not find when it read them back. Older bridges do not report them."""
    names = row.get("not_kept")
    return tuple(name for name in _READ_BACK_FIELDS if name in names) if isinstance(names, list) else ()


def named_field(row: Mapping[str, Any]) -> str | None:
    """Returns the refused field of a result. A broken site may name anything, so :func:`name_of` cleans it for note and database."""
    field = row.get("field")
    return name_of(field) if isinstance(field, str) else None


def _version(value: Any) -> int | None:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= 19):
        return None
    return int(value) if int(value) <= _INT64_MAX else None


def shop_users(value: Any, ids: Sequence[WooCustomerId]) -> dict[WooCustomerId, ShopUser]:
    """Returns the users of ``ids`` that the bridge's ``customers`` answer contains. Raises Unreadable."""
    rows = value.get("customers") if isinstance(value, Mapping) else None
    if not isinstance(rows, list):
        raise unreadable_error("it has no list of customers")
    found: dict[WooCustomerId, ShopUser] = {}
    for row in rows:
        user_id = row.get("user_id") if isinstance(row, Mapping) else None
        if not isinstance(user_id, int) or isinstance(user_id, bool) or user_id not in ids:
            raise unreadable_error("it is about a customer that was not asked for")
        found[WooCustomerId(user_id)] = ShopUser(WooCustomerId(user_id), registered_time(row.get("registered")))
    return found


def registered_time(value: Any) -> datetime | None:
    """Parses a registration time, or returns None when it is missing. A text without a zone is UTC, as WordPress stores it.

    Raises Unreadable.
    """
    if value is None or value == "":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise unreadable_error("the time at which a customer registered is no time") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def shop_status(value: Any) -> ShopStatus:
    """Reads the bridge's status. Raises Unreadable, also when plugin and service have no common version of the wire."""
    if not isinstance(value, Mapping):
        raise unreadable_error("the bridge's status is no object")
    api, max_batch = _newest_common_api(value), value.get("max_batch")
    if isinstance(max_batch, bool) or not isinstance(max_batch, int) or max_batch < 1:
        raise unreadable_error("the bridge's status has no max_batch from 1", field="max_batch")
    texts: dict[str, str] = {}
    for name in ("bridge_version", "home_url", "wordpress", "woocommerce"):
        text = value.get(name)
        if not isinstance(text, str):
            raise unreadable_error(f"the bridge's status has no text {name}", field=name)
        texts[name] = clean_text(text, max_length=200)
    return ShopStatus(**texts, api=api, max_batch=min(max_batch, BRIDGE_MAX_BATCH), price_decimals=_price_decimals(value))


def _price_decimals(status: Mapping[str, Any]) -> int:
    """Returns the decimals of the shop's prices. Older bridges do not report them; a missing or invalid value gives the default."""
    decimals = status.get("price_decimals")
    if isinstance(decimals, bool) or not isinstance(decimals, int) or not 0 <= decimals <= MOST_PRICE_DECIMALS:
        return DEFAULT_PRICE_DECIMALS
    return decimals


def _newest_common_api(status: Mapping[str, Any]) -> int:
    """Returns the newest version that both sides speak. Raises Unreadable without one.

    ``api`` is the oldest version of the bridge, because a service from before ``apis`` reads only ``api``.
    """
    spoken = [status.get("api"), *(status["apis"] if isinstance(status.get("apis"), list) else [])]
    versions = {version for version in spoken if isinstance(version, int) and not isinstance(version, bool)}
    if not versions:
        raise unreadable_error("the bridge's status does not say which API it speaks", field="api")
    common = versions.intersection(BRIDGE_APIS)
    if common:
        return max(common)
    spoken_apis = ", ".join(str(version) for version in sorted(versions)[:5])
    remedy = "update the tillsync bridge plugin in the shop" if max(versions) < BRIDGE_APIS[0] else "update the tillsync service"
    raise unreadable_error(f"the bridge speaks API {spoken_apis}, the service {BRIDGE_APIS[0]} to {BRIDGE_APIS[-1]}: {remedy}", field="api")
