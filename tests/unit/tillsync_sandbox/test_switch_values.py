from __future__ import annotations

import pytest
from tillsync_sandbox.shop.switches import FailureMode, Permalinks, ShopSwitches
from tillsync_sandbox.till.switches import EmailMatch, TillSwitches


def test_switch_accepts_a_value_of_its_type() -> None:
    shop, till = ShopSwitches(), TillSwitches()
    shop.update({"trouble": "firewall", "permalinks": "plain", "not_done_after": None, "bridge_api": 1, "event_types": ["order.finished"]})
    till.update({"email_match": "exact", "page_drift": -3, "latency_seconds": 1, "error_500_percent": 100, "late_create_seconds": None})
    assert (shop.trouble, shop.permalinks, shop.not_done_after) == (FailureMode.FIREWALL, Permalinks.PLAIN, None)
    assert (shop.bridge_api, shop.event_types) == (1, ("order.finished",))
    assert (till.email_match, till.page_drift, till.latency_seconds) == (EmailMatch.EXACT, -3, 1)
    shop.update({"trouble": None})
    assert shop.trouble is None


@pytest.mark.parametrize(
    ("switches", "name", "value", "takes"),
    [
        (ShopSwitches, "trouble", "flood", "one of maintenance, "),
        (ShopSwitches, "permalinks", None, "one of pretty, "),
        (ShopSwitches, "https_seen", 1, "true or false"),
        (ShopSwitches, "home_host", 80, "a text"),
        (ShopSwitches, "max_batch", True, "a whole number from 0"),
        (ShopSwitches, "not_done_after", -1, "a whole number from 0"),
        (ShopSwitches, "latency_seconds", "1", "a number from 0"),
        (ShopSwitches, "event_types", "order.finished", "a list of texts"),
        (TillSwitches, "page_size", 0, "a whole number from 1"),
        (TillSwitches, "page_drift", 1.5, "a whole number, "),
        (TillSwitches, "webhook_drop_percent", 101, "a number from 0 to 100"),
        (TillSwitches, "typo", 1, "no such switch; there are api_key, "),
    ],
)
def test_value_of_another_type_is_refused_and_changes_nothing(
    switches: type[ShopSwitches | TillSwitches], name: str, value: object, takes: str
) -> None:
    given = switches()
    with pytest.raises(ValueError, match=f"^{name}: {takes}"):
        given.update({"latency_seconds": 2.0, name: value})
    assert given == switches()
