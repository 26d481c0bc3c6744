"""GET customers over HTTP: permission, parameters and response, on one site and on a network."""

from __future__ import annotations

import pytest
from wordpress.harness.shop import Reply, Shop
from wordpress.test_customers_batch import SECRET, connected

ROUTE = "/wc-tillsync/v1/customers"
REGISTERED = """
    global $wpdb;
    $wpdb->query( "SET SESSION sql_mode = ''" );
    $wpdb->update( $wpdb->users, array( 'user_registered' => $time ), array( 'ID' => $who ) );
"""


async def ask(site: Shop, query: str, *, secret: str = SECRET) -> Reply:
    return await site.signed("GET", ROUTE, None, secret, query=query)


async def test_route_returns_registration_times_of_users(wp_site: Shop) -> None:
    await connected(wp_site)
    one, other, timeless = [await wp_site.add_user() for _ in range(3)]
    for who, time in ((one, "2024-05-01 09:30:00"), (other, "1999-12-31 23:59:59"), (timeless, "0000-00-00 00:00:00")):
        await wp_site.php(REGISTERED, who=who, time=time)
    reply = await ask(wp_site, f"ids={other},999999,{one},{timeless},{other}")
    assert (reply.status, reply.json) == (
        200,
        {
            "customers": [
                {"user_id": other, "registered": "1999-12-31T23:59:59Z"},
                {"user_id": one, "registered": "2024-05-01T09:30:00Z"},
                {"user_id": timeless, "registered": None},
            ]
        },
    )
    assert reply.headers["Cache-Control"] == "no-store, private"
    assert (await ask(wp_site, "ids=999999")).json == {"customers": []}


@pytest.mark.shops("mariadb")
async def test_only_the_service_may_read_customers(wp_site: Shop) -> None:
    await connected(wp_site)
    address = f"/wp-json{ROUTE}?ids=1"
    refused = [await wp_site.request("GET", address, session=session) for session in (None, await wp_site.log_in("admin"))]
    refused.append(await ask(wp_site, "ids=1", secret="x" * 43))
    # the permission is checked before the query
    refused.append(await ask(wp_site, "", secret="x" * 43))
    for reply in refused:
        assert (reply.status, reply.json["code"]) == (401, "rest_forbidden"), reply.text


@pytest.mark.shops("mariadb")
async def test_malformed_id_list_is_refused_by_name(wp_site: Shop) -> None:
    await connected(wp_site)
    wrong = ["ids=", "ids=0", "ids=-1", "ids=1,,2", "ids=1,", "ids=1;2", "ids=a", "ids=1.5", "ids[]=1", f"ids={'9' * 19}"]
    for query in [*wrong, "ids=" + ",".join(str(number) for number in range(1, 102))]:
        reply = await ask(wp_site, query)
        assert (reply.status, reply.json["code"], list(reply.json["data"]["params"])) == (400, "rest_invalid_param", ["ids"]), query
    reply = await ask(wp_site, "")
    assert (reply.status, reply.json["code"], reply.json["data"]["params"]) == (400, "rest_missing_callback_param", ["ids"])
    assert (await ask(wp_site, "ids=" + ",".join(str(number) for number in range(1, 101)))).status == 200


async def test_user_of_another_site_of_the_network_is_not_returned(wp_network: tuple[Shop, Shop]) -> None:
    first, second = wp_network
    for shop in (first, second):
        await connected(shop)
    user = await first.add_user()

    async def named(shop: Shop) -> list[int]:
        return [customer["user_id"] for customer in (await ask(shop, f"ids={user}")).json["customers"]]

    assert [await named(shop) for shop in (first, second)] == [[user], []]
    await second.php("add_user_to_blog( get_current_blog_id(), $who, 'customer' );", who=user)
    assert [await named(shop) for shop in (first, second)] == [[user], [user]]
