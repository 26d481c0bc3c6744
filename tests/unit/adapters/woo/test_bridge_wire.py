"""Results of the bridge as a broken or hostile site may send them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tillsync_server.adapters.woo.bridge_wire import shop_status, type_body, write_result
from tillsync_server.domain.customer import TillCustomerType
from tillsync_server.domain.errors import Unreadable
from tillsync_server.domain.ids import EposCustomerTypeId
from tillsync_server.ports.shop import WriteStatus


def test_the_name_of_a_refused_field_is_made_fit_for_a_note() -> None:
    """NUL and lone surrogates are legal in JSON and in no database; what is no name of a field may be a person's."""
    result = write_result({"status": "invalid", "field": "pho\x00ne\ud800<b>" + "x" * 500})
    assert (result.status, result.field) == (WriteStatus.INVALID, "…")
    assert write_result({"status": "invalid", "field": "billing.phone"}).field == "billing.phone"


def test_what_a_site_says_of_itself_is_made_fit_for_a_person() -> None:
    """It is shown in CheckAccount's texts, of which a lone surrogate could not even be sent."""
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
    ("said", "api"),
    [
        ({}, 1),
        ({"apis": [1, 2]}, 2),
        ({"apis": [1, 2, 3, 4]}, 2),
        ({"api": 2, "apis": [2, 3]}, 2),
        ({"apis": "1, 2"}, 1),
        ({"apis": [True, "2", None, 1]}, 1),
        ({"of_a_newer_bridge": {}}, 1),
    ],
)
def test_plugin_and_service_speak_the_newest_version_they_have_in_common(said: dict[str, Any], api: int) -> None:
    assert shop_status(a_status(**said)).api == api


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ({"api": 3, "apis": [3, 4]}, "update the tillsync service"),
        ({"api": 3}, "update the tillsync service"),
        ({"api": 0}, "update the tillsync bridge plugin in the shop"),
        ({"api": "1"}, "does not say which API it speaks"),
        ({"api": True}, "does not say which API it speaks"),
    ],
)
def test_without_a_common_version_the_older_side_is_named(said: dict[str, Any], remedy: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        shop_status(a_status(**said))
    assert remedy in refusal.value.text
    assert refusal.value.field == "api"


@pytest.mark.parametrize(("said", "decimals"), [({}, 2), ({"price_decimals": 3}, 3), ({"price_decimals": 0}, 0)])
def test_a_shop_says_how_many_decimals_its_prices_have(said: dict[str, Any], decimals: int) -> None:
    assert shop_status(a_status(**said)).price_decimals == decimals


@pytest.mark.parametrize("said", [-1, 7, True, "3", None])
def test_what_is_no_number_of_decimals_is_taken_for_two(said: Any) -> None:
    assert shop_status(a_status(price_decimals=said)).price_decimals == 2


@pytest.mark.parametrize(("served", "sent"), [("12.500000000000002", "12.5"), ("5.55e-17", "0"), ("12.5", "12.5"), ("-7", "-7")])
def test_a_types_discount_is_sent_without_a_floats_noise(served: str, sent: str) -> None:
    gold = TillCustomerType(epos_customer_type_id=EposCustomerTypeId(7), name="Gold", discount=Decimal(served))
    assert type_body(gold, 1)["discount"] == sent
