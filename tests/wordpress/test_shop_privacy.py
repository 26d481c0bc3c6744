"""WordPress's export and erasure of personal data, in the shop and at the service; the suggested policy text and the logs."""

from __future__ import annotations

from typing import Any

import pytest
from tillsync.v1 import vocabulary_pb2
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Shop

TOOLS = """
    $all  = apply_filters( 'wp_privacy_personal_data_' . $kind, array( 'before' => array() ) );
    $keys = array_keys( $all );
    $page = 1;
    $seen = array();
    do {
        $answer = call_user_func( $all['tillsync-bridge']['callback'], $email, $page );
        $seen[] = is_wp_error( $answer ) ? array( 'error' => $answer->get_error_message() ) : $answer;
    } while ( ! is_wp_error( $answer ) && ! $answer['done'] && ++$page < 20 );
    return array( $keys[0], $seen );
"""


async def person(bridged: BridgedShop) -> tuple[int, int]:
    """Returns the user id of a shopper with a link and points, and their order."""
    bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=42)
    user = await bridged.site.add_user("ada@example.test")
    order = await bridged.site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")
    await bridged.drain()

    async def arrived() -> bool:
        return bool(await bridged.site.rows("SELECT * FROM {prefix}tillsync_customer WHERE points = '42'"))

    await bridged.site.until(arrived)
    await bridged.drain()
    return user, order


async def tool(site: Shop, kind: str, email: str = "ada@example.test") -> list[dict[str, Any]]:
    first, seen = await site.php(TOOLS, admin=True, user="admin", kind=kind, email=email)
    assert first == "tillsync-bridge", "it must run before WooCommerce removes the email from the orders"
    return list(seen)


async def test_export_contains_data_of_the_shop_and_the_service(bridged: BridgedShop) -> None:
    user, order = await person(bridged)
    await bridged.site.add_order(email="grace@example.test", first_name="Grace")
    await bridged.drain()
    pages = await tool(bridged.site, "exporters")
    assert pages[-1]["done"]
    items = [item for page in pages for item in page["data"]]
    values = {(item["group_id"], field["name"], field["value"]) for item in items for field in item["data"]}
    assert ("tillsync-values", "Points", "42") in values
    assert ("tillsync-orders", "Order", str(order)) in values
    assert ("tillsync-orders", "Comment", "Matched by email") in values
    groups = {item["group_id"] for item in items}
    assert {"tillsync-service-link", "tillsync-service-queue_entry", "tillsync-service-order_match"} <= groups
    [customer] = bridged.till.customers_by_email("ada@example.test")
    known = ("tillsync-service-person", "Also known as", f"till customer {customer}: linked to shop customer {user}")
    assert known in values
    assert "ada@example.test" in str(items), "the service returns whole addresses only here"
    assert "grace@" not in str(items)
    assert len({item["item_id"] for item in items}) == len(items)
    assert await tool(bridged.site, "exporters", "nobody@example.test") == [{"data": [], "done": True}]
    assert user > 0


async def test_erasure_covers_shop_and_service_for_good(bridged: BridgedShop) -> None:
    user, order = await person(bridged)
    waiting = await bridged.site.add_order(customer_id=user, email="ada@example.test")
    [answer] = await tool(bridged.site, "erasers")
    assert answer["done"]
    assert answer["items_removed"]
    assert await bridged.site.order_meta(order) == {}
    [row] = await bridged.site.rows(f"SELECT * FROM {{prefix}}tillsync_customer WHERE user_id = {user}")
    assert (row["removed"], row["points"], row["type_id"]) == ("1", "0", None)
    # the service removed its values during the request, so none of its writes can restore them
    assert (answer["items_retained"], answer["messages"]) == (False, [])
    exported = await tool(bridged.site, "exporters")
    left = {item["group_id"] for page in exported for item in page["data"]}
    assert left <= {"tillsync-service-create_intent", "tillsync-service-person"}
    # neither the drain nor the sweep sends the orders again
    entries = len(await bridged.entries())
    await bridged.drain()
    assert await bridged.site.php("return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Sweep::class )->run();") == 0
    await bridged.drain()
    assert len(await bridged.entries()) == entries
    rows = await bridged.site.rows("SELECT * FROM {prefix}tillsync_outbox")
    assert {(row["order_id"], row["state"], row["facts_hash"]) for row in rows} == {(str(order), "done", ""), (str(waiting), "done", "")}
    assert bridged.till.customers_by_email("ada@example.test"), "the till's own records stay"


@pytest.mark.shops("mariadb")
async def test_unanswered_call_fails_the_whole_request(bridged: BridgedShop) -> None:
    await person(bridged)
    bridged.site.inject("add_filter( 'pre_http_request', static fn() => new WP_Error( 'http_request_failed', 'cURL error 7: refused' ) );")
    for kind in ("exporters", "erasers"):
        [answer] = await tool(bridged.site, kind)
        assert "could not be asked" in answer["error"]
    (bridged.site.content / "injected/000.php").unlink()
    [answer] = await tool(bridged.site, "erasers")
    assert answer["done"]


@pytest.mark.shops("mariadb")
async def test_result_names_a_till_that_was_not_asked(bridged: BridgedShop) -> None:
    user, _ = await person(bridged)
    [customer] = bridged.till.customers_by_email("ada@example.test")
    await bridged.till.stop()
    items = [item for page in await tool(bridged.site, "exporters") for item in page["data"]]
    [who] = [item for item in items if item["group_id"] == "tillsync-service-person"]
    assert [field["name"] for field in who["data"]] == ["Also known as", "Epos Now was not asked"]
    assert who["data"][0]["value"] == f"till customer {customer}: linked to shop customer {user}"
    [answer] = await tool(bridged.site, "erasers")
    [message] = answer["messages"]
    assert message.startswith("Epos Now was not asked who has this email: ")
    assert (answer["items_removed"], answer["items_retained"]) == (True, False)


@pytest.mark.shops("mariadb")
async def test_unconnected_shop_exports_and_erases_its_own_data(wp_site: Shop) -> None:
    user = await wp_site.add_user("ada@example.test")
    await wp_site.php(
        "global $wpdb; $wpdb->insert( $wpdb->prefix . 'tillsync_customer', array( 'user_id' => $id, 'version' => 1, 'points' => '7' ) );",
        id=user,
    )
    [answer] = await tool(wp_site, "exporters")
    assert next(field["value"] for field in answer["data"][0]["data"]) == "7"
    [answer] = await tool(wp_site, "erasers")
    assert answer == {"items_removed": True, "items_retained": False, "messages": [], "done": True}


@pytest.mark.shops("mariadb")
async def test_policy_text_is_suggested_and_logs_contain_no_person(bridged: BridgedShop) -> None:
    await person(bridged)
    session = await bridged.site.log_in()
    await bridged.site.request("GET", "/wp-admin/index.php", session=session)  # a new WooCommerce shows its setup once
    guide = await bridged.site.request("GET", "/wp-admin/options-privacy.php?tab=policyguide", session=session)
    assert "service that joins our online shop to the till" in guide.text
    logs = [path for path in (bridged.site.content / "uploads").rglob("*") if path.suffix in (".jsonl", ".log")]
    text = "".join(path.read_text(encoding="utf-8") for path in logs)
    assert "connected to account" in text
    assert not any(word in text for word in ("ada@", "Ada", "Byron", await bridged.secret()))
    assert all(entry.state != vocabulary_pb2.ENTRY_STATE_FAILED for entry in await bridged.entries())
