"""Orders from a status change in the shop to a till customer, and a person's actions on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from support.soak import rounds
from tillsync.v1 import vocabulary_pb2
from wordpress.harness.bridge import BridgedShop
from wordpress.harness.shop import Reply, Session, Shop

ORDERS = rounds(60, 200)
API = "/wp-json/tillsync-bridge/v1"
BUYER: dict[str, Any] = {"email": "ada@example.test", "first_name": "Ada", "last_name": "Byron"}


async def answered(bridged: BridgedShop, order_id: int, state: str = "ENTRY_STATE_PROCESSED") -> dict[str, Any]:
    """Returns the order's stored answer once it has this state. It drains until then."""

    async def look() -> dict[str, Any] | None:
        await bridged.drain()
        answer: dict[str, Any] | None = (await bridged.site.order_meta(order_id)).get("_tillsync_answer")
        return answer if answer and answer["state"] == state else None

    found: dict[str, Any] = await bridged.site.until(look)
    return found


async def row(site: Shop, order_id: int) -> dict[str, Any]:
    return (await site.rows(f"SELECT * FROM {{prefix}}tillsync_outbox WHERE order_id = {order_id}"))[0]


async def act(site: Shop, session: Session | None, order_id: int, action: str, method: str = "POST", **body: str) -> Reply:
    content = body if method == "POST" else None
    return await site.request(method, f"{API}/orders/{order_id}/{action}", session=session, json_body=content)


async def test_order_creates_a_till_customer_and_gets_a_note(bridged: BridgedShop) -> None:
    site = bridged.site
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, **BUYER)
    answer = await answered(bridged, order)
    customer = bridged.till.store.customers[int(answer["epos_customer_id"])]
    assert (customer.forename, customer.surname, customer.email_address) == ("Ada", "Byron", "ada@example.test")
    assert (answer["order_id"], answer["outcome"], answer["comment"]) == (order, "OUTCOME_CUSTOMER_CREATED", "Customer created")

    async def row_is_done() -> bool:  # an event may bring the answer first, and the next drain completes the row
        await bridged.drain()
        return bool((await row(site, order))["state"] == "done")

    await site.until(row_is_done)
    notes = [note for note in await site.order_notes(order) if "Customer created" in note]
    assert len(notes) == 1
    assert answer["epos_customer_id"] in notes[0]
    # the person's next order creates no twin
    second = await answered(bridged, await site.add_order(customer_id=user, **BUYER))
    assert (second["epos_customer_id"], second["outcome"]) == (answer["epos_customer_id"], "OUTCOME_MATCHED_LINK")


@pytest.mark.shops("mariadb")
async def test_guest_order_goes_to_the_default_customer(bridged: BridgedShop) -> None:
    answer = await answered(bridged, await bridged.site.add_order(**BUYER))
    assert answer["epos_customer_id"] == str(bridged.default_customer)
    assert answer["comment"] == "Matched to the default customer"


@pytest.mark.shops("mariadb")
async def test_order_is_not_sent_before_its_facts_are_final(bridged: BridgedShop) -> None:
    site = bridged.site
    code = """
        $order = wc_create_order( array( 'status' => 'processing' ) );
        $order->set_customer_id( $buyer );
        $order->set_billing_email( 'ada@example.test' );
        $order->set_billing_first_name( 'Ada' );
        $order->save();
        return $order->get_id();
    """
    buyer = await site.add_user("ada@example.test")
    order = await site.php(code, buyer=buyer)
    await bridged.drain(now=False)
    assert await bridged.entries() == []
    assert (await answered(bridged, order))["outcome"] == "OUTCOME_CUSTOMER_CREATED"


async def test_choice_on_the_order_screen_requeues_a_held_order(bridged: BridgedShop) -> None:
    site = bridged.site
    twins = [bridged.till.add_customer(forename="Ada", surname=name, email="ada@example.test") for name in ("Byron", "King")]
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, **BUYER)
    held = await answered(bridged, order, "ENTRY_STATE_HELD")
    assert held["comment"].startswith("We could not auto-link the customer")
    assert (await row(site, order))["state"] == "sent"
    session = await site.log_in("admin")
    link = await act(site, session, order, "link", "GET")
    assert link.json == {"guest": False, "link": None}
    found = await site.request("GET", f"{API}/till-customers?query=ada@example.test", session=session)
    assert [customer["id"] for customer in found.json["customers"]] == [str(twin) for twin in twins]
    assert "ada@example.test" not in found.text
    chosen = await act(site, session, order, "customer", epos_customer_id=str(twins[1]))
    assert chosen.status == 200, chosen.text
    assert (await answered(bridged, order))["epos_customer_id"] == str(twins[1])
    link = await act(site, session, order, "link", "GET")
    assert (link.json["link"]["epos_customer_id"], link.json["link"]["usable"]) == (str(twins[1]), True)


@pytest.mark.shops("mariadb")
async def test_only_a_person_changes_the_customer_of_a_finished_order(bridged: BridgedShop) -> None:
    site = bridged.site
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, **BUYER)
    first = (await answered(bridged, order))["epos_customer_id"]
    right = bridged.till.add_customer(forename="Ada", surname="King", email="other@example.test")
    session = await site.log_in(await site.add_user(role="shop_manager"))
    again = await act(site, session, order, "match")
    assert again.status == 200, again.text
    assert (await answered(bridged, order))["epos_customer_id"] == first
    changed = await act(site, session, order, "customer", epos_customer_id=str(right))
    assert changed.status == 200, changed.text

    async def moved() -> bool:
        return bool((await answered(bridged, order))["epos_customer_id"] == str(right))

    await site.until(moved)
    assert (await act(site, session, order, "unlink")).json == {"guest": False, "link": None}
    refused = await act(site, session, order, "unlink")
    assert refused.status == 409
    assert refused.json["code"] == "tillsync_not_found"


@pytest.mark.shops("mariadb")
async def test_guest_order_gets_another_customer_only_while_held(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(**BUYER)
    await answered(bridged, order)
    session = await site.log_in("admin")
    assert (await act(site, session, order, "link", "GET")).json == {"guest": True, "link": None}
    refused = await act(site, session, order, "customer", epos_customer_id=str(bridged.default_customer))
    assert (refused.status, refused.json["code"]) == (409, "tillsync_failed_precondition")


@pytest.mark.shops("mariadb")
async def test_order_routes_accept_only_managers_with_a_nonce(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(**BUYER)
    admin = await site.log_in("admin")
    strangers = [None] + [await site.log_in(await site.add_user(role=role)) for role in ("customer", "subscriber", "editor")]
    calls = [("GET", f"orders/{order}/link"), ("POST", f"orders/{order}/look"), ("POST", f"orders/{order}/match")]
    calls += [("POST", f"orders/{order}/unlink"), ("POST", f"orders/{order}/customer"), ("GET", "till-customers?query=1")]
    calls += [("POST", "settings/preview")]
    for method, path in calls:
        body = {"epos_customer_id": "1", "settings": {}} if method == "POST" else None
        for session in strangers:
            reply = await site.request(method, f"{API}/{path}", session=session, json_body=body)
            assert reply.status in (401, 403), f"{method} {path}: {reply.text}"
        # the cookie alone and a wrong nonce are refused
        without = await site.request(method, f"{API}/{path}", session=admin, json_body=body, headers={"X-WP-Nonce": ""})
        assert without.status in (401, 403), f"{method} {path}: {without.text}"
        wrong = await site.request(method, f"{API}/{path}", session=admin, json_body=body, headers={"X-WP-Nonce": "wrong"})
        assert wrong.status == 403
    assert (await row(site, order))["rerun"] in (0, "0")


async def test_missing_order_and_refund_are_not_found(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(**BUYER)
    refund = await site.php("return wc_create_refund( array( 'order_id' => $order, 'amount' => 0 ) )->get_id();", order=order)
    session = await site.log_in("admin")
    for order_id in (refund, 999999):
        assert (await act(site, session, order_id, "match")).status == 404
        assert await site.rows(f"SELECT * FROM {{prefix}}tillsync_outbox WHERE order_id = {order_id}") == []


async def test_unsent_orders_that_end_are_closed_and_may_come_back(bridged: BridgedShop) -> None:
    site = bridged.site
    orders = [await site.add_order(**BUYER) for _ in range(3)]
    await site.php("wc_get_order( $id )->update_status( 'cancelled' );", id=orders[0])
    await site.php("wc_get_order( $id )->delete( false );", id=orders[1])
    await site.php("wc_get_order( $id )->delete( true );", id=orders[2])
    await bridged.drain()
    assert await bridged.entries() == []
    for order, word in zip(orders, ("Cancelled", "trash", "deleted"), strict=True):
        closed = await row(site, order)
        assert closed["state"] == "closed"
        assert word in closed["reason"]
    await site.php("wc_get_order( $id )->update_status( 'processing' );", id=orders[0])
    assert (await answered(bridged, orders[0]))["outcome"] == "OUTCOME_DEFAULT_CUSTOMER"


ADD_ORDERS = """
    $made = array();
    for ( $i = 0; $i < $count; $i++ ) {
        $order = new WC_Order();
        $order->set_billing_email( "buyer$i@example.test" );
        $order->save();
        $made[] = $order->get_id();
    }
    return $made;
"""
CHANGE = "foreach ( $orders as $id ) { wc_get_order( $id )->update_status( 'processing' ); }"
RUN = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run();"
SCHEDULED = "as_schedule_single_action( time() - 1, 'tillsync_bridge_drain', array(), 'tillsync-bridge' );"
MINUTE_DUE = """
    wp_clear_scheduled_hook( 'tillsync_bridge_minute' );
    wp_schedule_event( time() - 1, 'tillsync_bridge_minutely', 'tillsync_bridge_minute' );
"""
COMMAND = """
    final class WP_CLI {
        public static function line( $text ) {}
        public static function error( $text ) { throw new RuntimeException( $text ); }
    }
    $tools = static fn() => Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Cli\\CommandTools::class );
    ( new Tillsync\\Bridge\\Cli\\TillsyncCommand( $tools ) )->drain( array(), array( 'format' => 'json' ) );
"""
"""`wp tillsync drain`. WP-CLI itself is in no package registry."""


@pytest.mark.parametrize("cached", [False, True], ids=["", "object-cache"])
async def test_concurrent_drains_send_each_order_once(bridged: BridgedShop, cached: bool, measured: Callable[[str], None]) -> None:
    """Four processes change many orders at once. Action Scheduler, cron and the command line drain them together."""
    site = bridged.site
    if cached:
        site.use_object_cache()
    orders = await site.php(ADD_ORDERS, count=ORDERS)
    began = time.monotonic()
    await asyncio.gather(*(site.php(CHANGE, orders=orders[part::4]) for part in range(4)))
    changed = time.monotonic() - began
    await bridged.age_outbox()
    await site.php(SCHEDULED + MINUTE_DUE)
    began = time.monotonic()
    await asyncio.gather(site.run_actions(), site.run_actions(), site.cron(), site.php(RUN), site.php(COMMAND), site.php(COMMAND))
    left = await site.rows("SELECT COUNT(*) AS n FROM {prefix}tillsync_outbox WHERE state = 'waiting'")
    sent = time.monotonic() - began
    assert int(left[0]["n"]) == 0

    async def all_done() -> bool:
        await bridged.drain()
        left = await site.rows("SELECT COUNT(*) AS n FROM {prefix}tillsync_outbox WHERE state <> 'done'")
        return int(left[0]["n"]) == 0

    await site.until(all_done, 60)
    measured(
        f"{ORDERS} orders, {site.kind.name}{', object cache' if cached else ''}: changed by 4 processes in {changed:.1f} s, "
        f"sent by 6 drains together in {sent:.1f} s, all answered after {time.monotonic() - began:.1f} s"
    )
    entries = await bridged.entries()
    assert all(entry.state == vocabulary_pb2.ENTRY_STATE_PROCESSED for entry in entries)
    assert all(entry.coalesced_count == 0 for entry in entries)
    notes = await site.php(
        "return array_map( fn( $id ) => count( array_filter( wc_get_order_notes( array( 'order_id' => $id ) ), "
        "fn( $note ) => str_contains( $note->content, 'Tillsync:' ) ) ), $orders );",
        orders=orders,
    )
    assert notes == [1] * ORDERS


@pytest.mark.shops("mariadb")
async def test_drain_survives_an_update_of_the_plugin(bridged: BridgedShop) -> None:
    """A drain loads all its classes before its first call, so that new files cannot meet old ones."""
    loaded = await bridged.site.php(
        """
        $seen = null;
        add_filter( 'pre_http_request', function ( $answer ) use ( &$seen ) {
            $seen = $seen ?? array_filter( get_declared_classes(), fn( $name ) => str_starts_with( $name, 'Tillsync\\\\Bridge\\\\' ) );
            return $answer;
        } );
        $order = new WC_Order(); $order->save(); $order->update_status( 'processing' );
        Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Outbox::class )->request_match( $order->get_id(), false );
        Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run();
        $after = array_filter( get_declared_classes(), fn( $name ) => str_starts_with( $name, 'Tillsync\\\\Bridge\\\\' ) );
        return array( null !== $seen, array_values( array_diff( $after, $seen ) ) );
        """
    )
    assert loaded == [True, []]


async def test_merchant_requests_a_match_of_older_orders(bridged: BridgedShop) -> None:
    site = bridged.site
    await site.php("update_option( 'tillsync_bridge_active', '' );")
    old = await site.add_order(age_seconds=3 * 86400, **BUYER)
    await site.php("update_option( 'tillsync_bridge_active', '1' );")
    await bridged.drain()
    assert await bridged.entries() == []
    session = await site.log_in("admin", "tillsync_bridge_settings")
    form = {"tillsync_nonce": session.nonces["tillsync_bridge_settings"], "tillsync_days": "7"}
    await site.request("POST", "/wp-admin/admin-post.php?action=tillsync_bridge_backfill_preview", session=session, form=form)
    page = await site.request("GET", "/wp-admin/admin.php?page=wc-settings&tab=integration&section=tillsync", session=session)
    assert "have 1 orders" in page.text
    assert await site.rows("SELECT * FROM {prefix}tillsync_outbox") == []
    await site.request("POST", "/wp-admin/admin-post.php?action=tillsync_bridge_backfill", session=session, form=form)
    await site.php("do_action( 'tillsync_bridge_backfill' );")
    assert (await answered(bridged, old))["outcome"] == "OUTCOME_DEFAULT_CUSTOMER"


@pytest.mark.shops("mariadb")
async def test_cron_alone_brings_an_order_to_its_end(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(**BUYER)
    due = "wp_clear_scheduled_hook( 'tillsync_bridge_minute' ); wp_schedule_event( time() - 1, 'hourly', 'tillsync_bridge_minute' );"

    async def done() -> bool:
        await bridged.age_outbox()
        await site.php(due)
        await site.cron()
        return bool((await row(site, order))["state"] == "done")

    await site.until(done, 60)


@pytest.mark.shops("mariadb")
async def test_wp_admin_schedules_one_drain_which_schedules_the_next(bridged: BridgedShop) -> None:
    site = bridged.site
    order = await site.add_order(**BUYER)
    await bridged.age_outbox()
    session = await site.log_in("admin")
    for _ in range(3):
        assert (await site.request("GET", "/wp-admin/index.php", session=session)).status == 200
    waiting = "return count( as_get_scheduled_actions( array( 'hook' => 'tillsync_bridge_drain', 'status' => 'pending' ), 'ids' ) );"
    assert await site.php(waiting) == 1
    await site.run_actions()
    assert [entry.order_id for entry in await bridged.entries()] == [order]

    # the order has not ended: a scheduled drain polls it in at most 5 s, or at once after an event
    async def done() -> bool:
        await site.run_actions()
        return bool((await row(site, order))["state"] == "done")

    await site.until(done)


OWN_RUNNER = """
    remove_filter( 'action_scheduler_allow_async_request_runner', '__return_false' );
    add_filter( 'action_scheduler_async_request_sleep_seconds', '__return_zero' );
"""


@pytest.mark.shops("real")
async def test_action_schedulers_runner_drains_after_a_page_of_wp_admin(bridged: BridgedShop) -> None:
    """The runner starts only in wp-admin, by a request of the shop to itself. The stand-in has none."""
    site = bridged.site
    order = await site.add_order(**BUYER)
    await bridged.age_outbox()
    session = await site.log_in("admin")
    site.inject(OWN_RUNNER)
    # it starts at most once a minute, including the installation of the site
    await site.php("delete_option( 'action_scheduler_lock_async-request-runner' );")
    assert (await site.request("GET", "/wp-admin/index.php", session=session)).status == 200

    async def sent() -> bool:
        return [entry.order_id for entry in await bridged.entries()] == [order]

    await site.until(sent)
