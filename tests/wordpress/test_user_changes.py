"""Deleted users and changed emails by WordPress's own ways: the REST API, a network, and tables of an earlier release."""

from __future__ import annotations

from typing import Any

import pytest
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import connected, item, send

NOTED = "SELECT user_id, kind, registered, orders_due FROM {prefix}tillsync_user_changes ORDER BY id"
REGISTERED = "return (int) strtotime( get_userdata( $who )->user_registered . ' UTC' );"


async def noted(site: Shop) -> list[tuple[int, str, int, int]]:
    rows = await site.rows(NOTED)
    return [(int(row["user_id"]), str(row["kind"]), int(row["registered"]), int(row["orders_due"])) for row in rows]


async def test_user_changes_by_the_rest_api_are_stored(wp_site: Shop) -> None:
    await connected(wp_site)
    user, spam = await wp_site.add_user("ada@example.test"), await wp_site.add_user("spam@example.test")
    assert (await send(wp_site, item(user, 1)))[0]["status"] == "updated"
    registered = await wp_site.php(REGISTERED, who=user)
    admin = await wp_site.log_in("admin")

    async def call(method: str, who: int, body: dict[str, Any]) -> None:
        reply = await wp_site.request(method, f"/wp-json/wp/v2/users/{who}", session=admin, json_body=body)
        assert reply.status == 200, reply.text

    for who in (user, spam):
        await call("POST", who, {"email": f"changed{who}@example.test"})
    assert await noted(wp_site) == [(user, "email", registered, 1)]
    for who in (user, spam):
        await call("DELETE", who, {"force": True, "reassign": 1})
    assert await noted(wp_site) == [(user, "email", registered, 1), (user, "deleted", registered, 0)]
    assert await wp_site.rows("SELECT * FROM {prefix}tillsync_customer") == []


async def test_each_shop_of_a_network_stores_changes_of_its_own_users(wp_network: tuple[Shop, Shop]) -> None:
    first, second = wp_network
    for shop in (first, second):
        await shop.php("do_action( 'tillsync_bridge_minute' );")
        await connected(shop)
    both, one, removed = [await first.add_user() for _ in range(3)]
    for who in (both, removed):
        await second.php("add_user_to_blog( get_current_blog_id(), $who, 'customer' );", who=who)
    for who in (both, one, removed):
        await first.add_order(customer_id=who, email=f"p{who}@example.test")
    await second.add_order(customer_id=both, email=f"p{both}@example.test")
    await second.add_order(customer_id=removed, email=f"p{removed}@example.test")

    async def changes() -> list[list[tuple[int, str]]]:
        return [[(who, kind) for who, kind, _, _ in await noted(shop)] for shop in (first, second)]

    # the user belongs to both shops, so both store the change of the email
    await first.php("wp_update_user( array( 'ID' => $who, 'user_email' => 'new@example.test' ) );", who=both)
    assert await changes() == [[(both, "email")], [(both, "email")]]
    await second.php("remove_user_from_blog( $who, get_current_blog_id() );", who=removed, admin=True, user="admin")
    assert await changes() == [[(both, "email")], [(both, "email"), (removed, "deleted")]]
    delete = (
        "require_once ABSPATH . 'wp-admin/includes/ms.php'; require_once ABSPATH . 'wp-admin/includes/user.php'; wpmu_delete_user( $who );"
    )
    for who in (both, one):
        await second.php(delete, who=who, admin=True, user="admin")
    deleted_here = [(both, "email"), (removed, "deleted"), (both, "deleted")]
    assert await changes() == [[(both, "email"), (both, "deleted"), (one, "deleted")], deleted_here]


async def test_tables_of_an_earlier_release_work_until_cron_changes_them(wp_site: Shop) -> None:
    await connected(wp_site)
    user = await wp_site.add_user()
    await wp_site.php(
        """
        global $wpdb;
        $wpdb->query( "DROP TABLE {$wpdb->prefix}tillsync_user_changes" );
        $wpdb->query( "ALTER TABLE {$wpdb->prefix}tillsync_customer DROP COLUMN registered" );
        update_option( 'tillsync_bridge_schema', 1 );
        """
    )
    assert (await send(wp_site, item(user, 1)))[0]["status"] == "updated"
    find = """
        $row = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Customers\\CustomerTable::class )->find( $who );
        return array( $row->points, $row->registered );
    """
    assert await wp_site.php(find, who=user) == ["10", None]
    await wp_site.php("wp_update_user( array( 'ID' => $who, 'user_email' => 'new@example.test' ) );", who=user)
    await wp_site.php("do_action( 'tillsync_bridge_minute' );")
    assert await noted(wp_site) == []
    assert await wp_site.php(find, who=user) == ["10", None]
    assert (await send(wp_site, item(user, 2)))[0]["status"] == "unchanged"
    assert await wp_site.php(find, who=user) == ["10", await wp_site.php(REGISTERED, who=user)]
    assert int(await wp_site.php("return get_option( 'tillsync_bridge_schema' );")) == 3


@pytest.mark.shops("mariadb")
async def test_deleting_an_unknown_user_costs_two_statements(wp_site: Shop) -> None:
    """For a user whom the service cannot know, the plugin reads only the values and one order."""
    await connected(wp_site)
    count = """
        global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/user.php';
        if ( ! $watched ) { remove_all_actions( 'delete_user', 5 ); remove_all_actions( 'deleted_user', 5 ); }
        $before = $wpdb->num_queries;
        wp_delete_user( $who );
        return $wpdb->num_queries - $before;
    """
    counts = [await wp_site.php(count, who=await wp_site.add_user(), watched=watched) for watched in (False, True)]
    assert counts[1] - counts[0] == 2
