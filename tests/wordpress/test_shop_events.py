"""Events over HTTP and from the real service: an event stores the answer of its order, or makes the order due for the drain."""

from __future__ import annotations

from typing import Any

import pytest
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import SECRET, connected

ROUTE = "/wc-tillsync/v1/events"


def event(order_id: int, sequence: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"{order_id}-{sequence}",
        "subject": f"order:{order_id}",
        "sequence": str(sequence),
        "type": "order.finished",
        "entry_id": "",
        "state": "PROCESSED",
        "outcome": "MATCHED_EMAIL",
        "held_count": 0,
        **more,
    }


@pytest.mark.shops("mariadb")
async def test_only_the_service_may_send_events(wp_site: Shop) -> None:
    await connected(wp_site)
    content = {"events": [event(5, 1)]}
    for session in (None, await wp_site.log_in("admin"), await wp_site.log_in(await wp_site.add_user())):
        assert (await wp_site.request("POST", f"/wp-json{ROUTE}", session=session, json_body=content)).status == 401
    assert (await wp_site.signed("POST", ROUTE, content, "x" * 43)).status == 401
    assert await wp_site.rows("SELECT * FROM {prefix}tillsync_event") == []


@pytest.mark.shops("mariadb")
async def test_results_are_by_position_and_a_repeated_batch_is_accepted(wp_site: Shop) -> None:
    await connected(wp_site)
    content = {"events": [event(5, 2), event(5, 1), event(6, 1, type="other"), event(7, 1)]}
    for expected in (["updated", "stale", "invalid", "updated"], ["unchanged", "stale", "invalid", "unchanged"]):
        reply = await wp_site.signed("POST", ROUTE, content, SECRET)
        assert (reply.status, [result["status"] for result in reply.json["results"]]) == (200, expected)
    assert [result["event_id"] for result in reply.json["results"]] == ["5-2", "5-1", "6-1", "7-1"]
    assert (await wp_site.signed("POST", ROUTE, {"events": [event(5, 3)] * 501}, SECRET)).status == 413
    assert (await wp_site.signed("POST", ROUTE, {}, SECRET)).status == 400


async def test_event_brings_a_decision_to_its_order(bridged: BridgedShop) -> None:
    """The till has two customers with the email, so the order is held. The answer has notes, which the drain fetches before any poll is
    due. A person links one customer, and the next event brings the answer.
    """
    site = bridged.site
    first = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test")
    bridged.till.add_customer(forename="Ada", surname="Twin", email="ada@example.test")
    customer = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=customer, email="ada@example.test", first_name="Ada", last_name="Byron")
    await bridged.drain()

    async def events(kind: str) -> list[dict[str, Any]]:
        return await site.rows(f"SELECT * FROM {{prefix}}tillsync_event WHERE subject = 'order:{order}' AND type = '{kind}'")

    needed = (await site.until(lambda: events("decision.needed")))[0]
    assert (needed["state"], int(needed["held_count"])) == ("HELD", 1)
    await site.php("Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run();")
    answer = (await site.order_meta(order))["_tillsync_answer"]
    assert answer["outcome"] == "OUTCOME_DUPLICATE_EMAIL"
    await bridged.service.client.links.create_link(bridged.account_id, epos_customer_id=first, woo_customer_id=customer)
    finished = (await site.until(lambda: events("order.finished")))[0]
    assert int(finished["sequence"]) > int(needed["sequence"])
    answer = (await site.order_meta(order))["_tillsync_answer"]
    assert (answer["outcome"], answer["epos_customer_id"]) == ("OUTCOME_MATCHED_LINK", str(first)), "stored with the event"
    rows = await site.rows(f"SELECT state, entry_id FROM {{prefix}}tillsync_outbox WHERE order_id = {order}")
    assert rows == [{"state": "done", "entry_id": answer["entry_id"]}]
