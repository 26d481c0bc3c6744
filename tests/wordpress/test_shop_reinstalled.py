"""A shop that lost all data of the plugin and connects again: it finds the service's held orders, opens their alerts and decides them."""

from __future__ import annotations

from tillsync.v1 import token_pb2, vocabulary_pb2
from wordpress.harness.bridge import BridgedShop

LOSE = """
    global $wpdb;
    foreach ( array( 'outbox', 'customer', 'customer_type', 'role_grant', 'event' ) as $name ) {
        $wpdb->query( "DROP TABLE {$wpdb->prefix}tillsync_$name" );
    }
    foreach ( $wpdb->get_col( "SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE 'tillsync\\\\_bridge\\\\_%'" ) as $option ) {
        delete_option( $option );
    }
    wc_get_order( $order )->delete_meta_data( '_tillsync_answer' );
    $it = wc_get_order( $order );
    $it->delete_meta_data( '_tillsync_answer' );
    $it->save_meta_data();
"""
TOLD = """
    $services = Tillsync\\Bridge\\Plugin::services();
    $keys = array_map( static fn( $alert ) => $alert->key, $services->get( Tillsync\\Bridge\\Health\\Alerts::class )->all() );
    return array( $services->get( Tillsync\\Bridge\\Events\\HeldCount::class )->get(), $keys );
"""


async def test_reinstalled_plugin_finds_the_held_orders(bridged: BridgedShop) -> None:
    site = bridged.site
    twins = [bridged.till.add_customer(forename="Ada", surname=name, email="ada@example.test") for name in ("Byron", "King")]
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")
    await bridged.drain()

    async def held() -> bool:
        return [entry.state for entry in await bridged.entries()] == [vocabulary_pb2.ENTRY_STATE_HELD]

    await site.until(held)
    await site.php(LOSE, order=order)
    token = await bridged.service.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=bridged.account_id, name="a new one")
    bridged.connect_string = token.connect_string
    await bridged.connect()
    count, causes = await site.php(TOLD)
    assert (count, causes) == (1, [])
    await bridged.drain()
    assert await site.php(TOLD) == [1, [f"user:{user}"]]
    answer = (await site.order_meta(order))["_tillsync_answer"]
    assert (answer["state"], answer["outcome"]) == ("ENTRY_STATE_HELD", "OUTCOME_DUPLICATE_EMAIL")
    session = await site.log_in()
    page = await site.request("GET", "/wp-admin/plugins.php", session=session)
    assert "several till customers use the same email address" in page.text
    await bridged.service.client.links.create_link(bridged.account_id, twins[0], user)

    async def decided() -> bool:
        await bridged.drain()
        return bool((await site.order_meta(order))["_tillsync_answer"]["epos_customer_id"] == str(twins[0]))

    await site.until(decided)
    assert await site.php(TOLD) == [0, []]
