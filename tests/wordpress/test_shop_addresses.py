"""Shops with plain permalinks, and behind a firewall that refuses PUT and DELETE. The service adapts without a setting."""

from __future__ import annotations

import json

import pytest
from support.postgres import TestDatabase
from tillsync.v1 import vocabulary_pb2
from wordpress.harness.bridge import BridgedShop, bridged_shop
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import SECRET, connected
from wordpress.test_shop_access import signature

PLAIN = "update_option( 'permalink_structure', '' ); delete_option( 'rewrite_rules' );"
FIREWALL = """
    if ( in_array( $_SERVER['REQUEST_METHOD'], array( 'PUT', 'DELETE', 'PATCH' ), true ) ) {
        http_response_code( 403 );
        header( 'Content-Type: text/html' );
        file_put_contents( WP_CONTENT_DIR . '/uploads/refused', 'x', FILE_APPEND );
        echo '<!doctype html><html><body><h1>403 Forbidden</h1></body></html>';
        exit;
    }
"""


async def type_row(site: Shop, removed: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = await site.rows(f"SELECT * FROM {{prefix}}tillsync_customer_type WHERE removed = {removed}")
    return found


@pytest.mark.shops("mariadb")
async def test_sync_works_with_plain_permalinks(wp_site: Shop, database: TestDatabase) -> None:
    await wp_site.php(PLAIN)
    index = await wp_site.request("GET", "/?rest_route=/")
    assert "wc-tillsync/v1" in index.json["namespaces"]
    async with bridged_shop(wp_site, database.dsn) as bridged:
        ada = bridged.till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120)
        user = await wp_site.add_user("ada@example.test")
        order = await wp_site.add_order(customer_id=user, email="ada@example.test", first_name="Ada")

        async def answered() -> bool:
            await bridged.drain()
            answer = (await wp_site.order_meta(order)).get("_tillsync_answer")
            return bool(answer and answer["epos_customer_id"] == str(ada))

        await wp_site.until(answered)
        await wp_site.until(lambda: wp_site.rows("SELECT * FROM {prefix}tillsync_customer WHERE points = '120'"))
        type_id = bridged.till.add_type(name="Trade", discount=10)
        add = vocabulary_pb2.CUSTOMER_TYPE_ACTION_ADD
        await bridged.service.client.sync.sync_customer_type(bridged.account_id, type_id, add)
        await wp_site.until(lambda: type_row(wp_site, 0))


@pytest.mark.shops("mariadb")
async def test_sync_works_behind_a_firewall_for_get_and_post_only(bridged: BridgedShop) -> None:
    site, till = bridged.site, bridged.till
    site.inject(FIREWALL)
    type_id = till.add_type(name="Trade", discount=10)
    sync = bridged.service.client.sync
    await sync.sync_customer_type(bridged.account_id, type_id, vocabulary_pb2.CUSTOMER_TYPE_ACTION_ADD)
    await site.until(lambda: type_row(site, 0))
    till.delete_type(type_id)
    await sync.sync_customer_type(bridged.account_id, type_id, vocabulary_pb2.CUSTOMER_TYPE_ACTION_DELETE)
    await site.until(lambda: type_row(site, 1))
    refused = (site.content / "uploads/refused").read_text(encoding="utf-8")
    assert refused == "x", "one refusal is enough to learn it"


@pytest.mark.parametrize("prefix", ["/wp-json", "/index.php/wp-json"])
@pytest.mark.shops("mariadb")
async def test_signature_covers_the_method_of_the_header(wp_site: Shop, prefix: str) -> None:
    await connected(wp_site)
    route = "/wc-tillsync/v1/customer-types/7"
    body = json.dumps({"version": "1", "name": "Trade", "discount": "10", "description": ""}).encode()
    now = int(await wp_site.php("return time();"))
    for signed_as, override, status in (("PUT", "PUT", 200), ("POST", "PUT", 401), ("PUT", "DELETE", 401), ("PUT", "", 404)):
        headers = signature(SECRET, now, signed_as, route, body) | ({"X-HTTP-Method-Override": override} if override else {})
        reply = await wp_site.request("POST", prefix + route, body=body, headers=headers)
        assert reply.status == status, (signed_as, override, reply.text)
