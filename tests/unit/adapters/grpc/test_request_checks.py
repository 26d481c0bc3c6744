"""Requests that are refused before a servicer runs. The limits equal those in the contract's comments."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from support.directories import REPOSITORY
from support.grpc_server import STUBS, an_order, match_request
from support.request_messages import behaviours, request_messages
from tillsync.v1 import (
    account_pb2,
    account_service_pb2,
    customer_sync_service_pb2,
    link_service_pb2,
    order_pb2,
    queue_entry_pb2,
    queue_service_pb2,
)
from tillsync_server.adapters.grpc.field_rules import rules_of
from tillsync_server.adapters.grpc.messages.orders import TEXT_LENGTHS, new_orders
from tillsync_server.adapters.grpc.request_checks import NO_CONTROL, check_of
from tillsync_server.domain.errors import InvalidArgument
from tillsync_server.ports.orders import NewOrder

PROTOS = REPOSITORY / "protos" / "tillsync" / "v1"


def violations(message: Message) -> dict[str, str]:
    return {violation.field: violation.description for violation in check_of(message.DESCRIPTOR).violations(message)}


def commented_limits(pattern: str, kinds: str) -> dict[str, int]:
    """Limits in the comments of request fields, by message and field."""
    found: dict[str, int] = {}
    for path in PROTOS.glob("*.proto"):
        message, comment = "", ""
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if text.startswith("//"):
                comment += " " + text[2:].strip()
                continue
            if begins := re.match(r"message (\w+)", text):
                message = begins[1]
            field = re.match(rf"(?:optional )?({kinds}) (\w+) = \d+", text)
            limit = re.search(pattern, comment)
            if field and limit and "OUTPUT_ONLY" not in text:
                found[f"{message}.{field[2]}"] = int(limit[1].replace(",", ""))
            comment = ""
    return found


def ruled(of: Callable[[FieldDescriptor, Any], int | None]) -> dict[str, int]:
    """The result of ``of`` for the rules of each request field, by message and field."""
    found = {}
    for message in request_messages():
        for field in message.fields:
            limit = None if field_behavior_pb2.OUTPUT_ONLY in behaviours(field) else of(field, rules_of(field))
            if limit is not None:
                found[f"{message.name}.{field.name}"] = limit
    return found


def test_lengths_equal_those_in_the_comments() -> None:
    limits = commented_limits(r"(?:[Aa]t most|\d to) ([\d,]+) characters", "string")
    assert len(limits) > 25
    rules = ruled(lambda _, rules: rules.string.max_len or None)
    assert all(rules[key] == 2048 for key in rules.keys() - limits.keys() if not key.endswith((".account_id", ".till_id")))
    assert {key: limit for key, limit in (rules | TEXT_LENGTHS).items() if key in limits} == limits
    assert rules.keys().isdisjoint(TEXT_LENGTHS), "a text that is cut refuses no order"


def test_list_sizes_equal_those_in_the_comments() -> None:
    limits = commented_limits(r"(?:[Aa]t most|1 to) (\d+)", r"repeated [\w.]+")
    requests = {key: limit for key, limit in limits.items() if "Response." not in key}
    assert requests == ruled(lambda _, rules: rules.repeated.max_items or None)


def test_every_text_number_and_enum_of_a_request_has_a_rule() -> None:
    def is_bare(field: FieldDescriptor, rules: Any) -> int | None:
        if field.type == FieldDescriptor.TYPE_ENUM:
            words = rules.repeated.items.enum if field.is_repeated else rules.enum
            return None if words.defined_only else 1
        if field.is_repeated or field.type in (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_BOOL):
            return None
        bounds = (
            rules.string.HasField("max_len"),
            rules.string.pattern not in ("", NO_CONTROL),
            rules.HasField("int32"),
            rules.HasField("int64"),
        )
        return None if any(bounds) else 1

    assert ruled(is_bare).keys() == TEXT_LENGTHS.keys()


def test_an_account_id_has_one_limit() -> None:
    limits = ruled(lambda _, rules: rules.string.max_len or None)
    assert {limit for key, limit in limits.items() if key.endswith(".account_id")} == {64}


def test_required_fields_are_marked_in_both_vocabularies() -> None:
    """Documents and linters read field_behavior. The service checks buf.validate."""

    def differs(field: FieldDescriptor, rules: Any) -> int | None:
        is_checked = rules.required or (not field.has_presence and (rules.int32.HasField("gt") or rules.int64.HasField("gt")))
        return None if is_checked == (field_behavior_pb2.REQUIRED in behaviours(field)) else 1

    assert ruled(differs) == {}


@pytest.mark.parametrize("service", STUBS)
def test_an_empty_request_names_every_required_field(service: str) -> None:
    """The check covers the whole contract: missing required fields are refused, and no others."""
    for method in descriptor_pool.Default().FindServiceByName(f"tillsync.v1.{service}").methods:
        request = message_factory.GetMessageClass(method.input_type)()
        required = {field.name for field in method.input_type.fields if field_behavior_pb2.REQUIRED in behaviours(field)}
        assert set(violations(request)) == required, method.full_name


def test_valid_request_passes() -> None:
    assert violations(customer_sync_service_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=7)) == {}
    assert violations(match_request("shop-a", an_order(first_name="Zoë Łukasiewicz-Ōe"))) == {}


@pytest.mark.parametrize("bad", [0, -1, -(2**63)])
def test_ids_must_be_positive(bad: int) -> None:
    request = customer_sync_service_pb2.SyncCustomerRequest(account_id="shop-a", epos_customer_id=bad)
    assert violations(request) == {"epos_customer_id": "is required and must be greater than 0"}


def test_optional_ids_may_be_omitted_but_not_negative() -> None:
    assert violations(link_service_pb2.ListLinksRequest(account_id="a")) == {}
    assert set(violations(link_service_pb2.ListLinksRequest(account_id="a", woo_customer_id=-1, page_size=-1))) == {
        "woo_customer_id",
        "page_size",
    }


def test_id_in_a_oneof_must_be_positive() -> None:
    assert set(violations(link_service_pb2.GetLinkRequest(account_id="a", epos_customer_id=0))) == {"epos_customer_id"}
    assert violations(link_service_pb2.GetLinkRequest(account_id="a", woo_customer_id=3)) == {}


def test_unknown_enum_values_name_the_known_ones() -> None:
    request = customer_sync_service_pb2.SyncCustomerTypeRequest(account_id="a", epos_customer_type_id=1)
    request.action = 99  # type: ignore[assignment]
    assert violations(request) == {
        "action": "has no value 99; use one of CUSTOMER_TYPE_ACTION_ADD, CUSTOMER_TYPE_ACTION_UPDATE, CUSTOMER_TYPE_ACTION_DELETE"
    }


def test_each_enum_value_in_a_filter_is_checked() -> None:
    request = customer_sync_service_pb2.ListQueueRequest(account_id="a", queue=1)  # type: ignore[arg-type]
    request.states.extend([1, 0, 77])  # type: ignore[list-item]
    assert set(violations(request)) == {"states[1]", "states[2]"}


@pytest.mark.parametrize("character", ["\x00", "\n", "\x1b", "\x7f", "\x85"])
def test_control_characters_are_refused(character: str) -> None:
    found = violations(account_service_pb2.GetAccountRequest(account_id=f"shop{character}a"))
    assert found == {"account_id": "must not contain control characters; remove them"}


@pytest.mark.parametrize("text", ["By\x00ron", "By\nron", "By\x92ron", "x" * 256, "x" * 5000])
def test_texts_of_people_refuse_no_order(text: str) -> None:
    request = match_request("shop-a", an_order(first_name=text, last_name=text, company=text, phone=text, order_number=text))
    request.unlinked_products.add(product_id=1, name=text, sku=text)
    assert violations(request) == {}
    assert violations(match_request("shop-a", an_order(account_email="ada@example.test\t", billing_email="\x00"))) == {}
    assert set(violations(match_request("shop-a", an_order(account_email="x" * 255)))) == {"order.account_email"}, "an email is never cut"


def test_nested_and_repeated_messages_are_named_by_path() -> None:
    request = match_request("shop-a", an_order(billing_email="x" * 255, order_key="abc"))
    request.unlinked_products.add(product_id=1, name="fine")
    request.unlinked_products.add(variation_id=-1)
    assert set(violations(request)) == {
        "order.billing_email", "order.order_key", "unlinked_products[1].product_id", "unlinked_products[1].variation_id",
    }  # fmt: skip


def test_a_missing_nested_message_is_required() -> None:
    assert violations(customer_sync_service_pb2.MatchOrderCustomerRequest(account_id="a")) == {"order": "is required"}


def test_invalid_times_are_refused() -> None:
    order = an_order()
    order.create_time.seconds = 253_402_300_800
    assert set(violations(match_request("a", order))) == {"order.create_time"}
    request = queue_service_pb2.RetryQueueEntriesRequest(account_id="a", filter=queue_entry_pb2.QueueFilter(queue=1))  # type: ignore[arg-type]
    request.filter.created_after.nanos = -1
    assert set(violations(request)) == {"filter.created_after"}


def test_lists_are_limited() -> None:
    too_many = customer_sync_service_pb2.BatchSyncCustomersRequest(account_id="a", epos_customer_ids=range(1, 502))
    assert violations(too_many) == {"epos_customer_ids": "must have at most 500 items; send the rest in further calls"}


def test_output_only_fields_of_a_request_are_ignored() -> None:
    account = account_pb2.Account(problem=account_pb2.AccountProblem(text="\x00" * 9999))
    assert violations(account_service_pb2.CreateAccountRequest(account_id="a", account=account)) == {}


def test_account_id_is_limited_in_every_request() -> None:
    assert set(violations(account_service_pb2.GetAccountRequest(account_id="a" * 65))) == {"account_id"}


async def test_invalid_batch_item_fails_only_its_position() -> None:
    request = customer_sync_service_pb2.BatchMatchOrderCustomersRequest(account_id="a")
    request.orders.add(order=an_order(1))
    request.orders.add(order=an_order(2, account_email="x" * 255))
    request.orders.add(order=order_pb2.Order(order_id=-3))
    request.orders.add()
    assert violations(request) == {}
    good, long, bare, empty = await new_orders("a", request.orders)
    assert isinstance(good, NewOrder)
    assert good.facts.order_id == 1
    assert isinstance(long, InvalidArgument)
    assert [violation.field for violation in long.violations] == ["orders[1].order.account_email"]
    assert isinstance(bare, InvalidArgument)
    assert {violation.field for violation in bare.violations} == {
        "orders[2].order.order_id", "orders[2].order.order_key", "orders[2].order.create_time",
    }  # fmt: skip
    assert isinstance(empty, InvalidArgument)
    assert [violation.field for violation in empty.violations] == ["orders[3].order"]


async def test_order_key_is_case_insensitive() -> None:
    lower, upper = an_order(1), an_order(1)
    upper.order_key = upper.order_key.upper()
    request = customer_sync_service_pb2.BatchMatchOrderCustomersRequest(account_id="a")
    request.orders.add(order=lower)
    request.orders.add(order=upper)
    first, second = await new_orders("a", request.orders)
    assert isinstance(first, NewOrder)
    assert first == second
