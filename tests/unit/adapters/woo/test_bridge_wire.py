"""Results of the bridge from broken or hostile sites."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tillsync_server.adapters.woo.bridge_wire import shop_status, type_body, write_result
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.errors import Unreadable
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.shop import WriteStatus


def test_refused_field_name_is_cleaned_for_a_note() -> None:
    """NUL and lone surrogates are legal in JSON and not in PostgreSQL. Other text may name a person."""
    result = write_result({"status": "invalid", "field": "pho\x00ne\ud800<b>" + "x" * 500})
    assert (result.status, result.field) == (WriteStatus.INVALID, "…")
    assert write_result({"status": "invalid", "field": "billing.phone"}).field == "billing.phone"


def test_site_status_texts_are_cleaned() -> None:
    """CheckAccount shows these texts, and a lone surrogate cannot be sent in a message."""
    status = shop_status(
        {
            "api": 1,
            "max_batch": 500,
            "bridge_version": "0.1\ud800",
            "home_url": "https://ann:secret-word@shop.example.test\x1b[2J",
            "wordpress": "<b>6.8</b>",
            "woocommerce": "9" * 900,
        }
    )
    assert (status.bridge_version, status.home_url, status.wordpress) == ("0.1", "https://[redacted]@shop.example.test[2J", "6.8")
    assert len(status.woocommerce) == 200


def a_status(**more: Any) -> dict[str, Any]:
    texts = {"bridge_version": "1.0.0", "home_url": "https://shop.example.test", "wordpress": "6.9", "woocommerce": "10.5"}
    return {"api": 1, "max_batch": 500, **texts, **more}


@pytest.mark.parametrize(
    ("fields", "api"),
    [
        ({}, 1),
        ({"apis": [1, 2]}, 2),
        ({"apis": [1, 2, 3, 4]}, 3),
        ({"api": 3, "apis": [3, 4]}, 3),
        ({"apis": "1, 2"}, 1),
        ({"apis": [True, "2", None, 1]}, 1),
        ({"of_a_newer_bridge": {}}, 1),
    ],
)
def test_newest_common_wire_version_is_used(fields: dict[str, Any], api: int) -> None:
    assert shop_status(a_status(**fields)).api == api


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"api": 4, "apis": [4, 5]}, "update the tillsync service"),
        ({"api": 4}, "update the tillsync service"),
        ({"api": 0}, "update the tillsync bridge plugin in the shop"),
        ({"api": "1"}, "does not say which API it speaks"),
        ({"api": True}, "does not say which API it speaks"),
    ],
)
def test_missing_common_version_error_names_the_older_side(fields: dict[str, Any], remedy: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        shop_status(a_status(**fields))
    assert remedy in refusal.value.text
    assert refusal.value.field == "api"


@pytest.mark.parametrize(("fields", "decimals"), [({}, 2), ({"price_decimals": 3}, 3), ({"price_decimals": 0}, 0)])
def test_price_decimals_of_the_shop_are_read(fields: dict[str, Any], decimals: int) -> None:
    assert shop_status(a_status(**fields)).price_decimals == decimals


@pytest.mark.parametrize("fields", [-1, 7, True, "3", None])
def test_invalid_price_decimals_mean_two(fields: Any) -> None:
    assert shop_status(a_status(price_decimals=fields)).price_decimals == 2


@pytest.mark.parametrize(("served", "sent"), [("12.500000000000002", "12.5"), ("5.55e-17", "0"), ("12.5", "12.5"), ("-7", "-7")])
def test_type_discount_is_sent_without_float_noise(served: str, sent: str) -> None:
    gold = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(7), name="Gold", discount=Decimal(served))
    assert type_body(gold, 1)["discount"] == sent
