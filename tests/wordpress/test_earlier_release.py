"""Two releases together: the plugin of an earlier commit with today's service, and today's plugin with that commit's service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from support.directories import reachable_directory
from support.earlier_release import python_path, unpack
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, child, environment
from tillsync.v1 import account_pb2, token_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxTill
from wordpress.conftest import Sites
from wordpress.harness.bridge import ACCOUNT, bridged_shop
from wordpress.harness.build import built_site
from wordpress.harness.kinds import SiteKind
from wordpress.harness.shop import Shop
from wordpress.harness.web import free_port

pytestmark = pytest.mark.shops("mariadb")

CONNECT = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\Connector::class )->connect( $string );"
DRAIN = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run( null, true );"
SERVICE_API = "return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Service\\ServiceApi::class )->version();"


@pytest.fixture
def earlier() -> Iterator[Path]:
    with reachable_directory("earlier-") as directory:
        yield unpack(directory)


@pytest.fixture
def earlier_site(earlier: Path, wp_kind: SiteKind, built_sites: Sites) -> Iterator[Shop]:
    with built_site(wp_kind, built_sites.database_for(wp_kind), bridge=earlier / "tillsync-bridge") as site:
        yield site


async def an_order_and_its_shoppers_points(site: Shop, till: SandboxTill, client: TillsyncClient) -> None:
    """Plays a merchant's main use by every route of both sides."""
    gold = till.add_type(name="Gold")
    ada = till.add_customer(forename="Ada", surname="Byron", email="ada@example.test", points=120, type_id=gold)
    user = await site.add_user("ada@example.test")
    order = await site.add_order(customer_id=user, email="ada@example.test", first_name="Ada", last_name="Byron")

    async def answer() -> bool:
        await site.php('global $wpdb; $wpdb->query( "UPDATE {$wpdb->prefix}tillsync_outbox SET due_at = due_at - 3600" );')
        await site.php(DRAIN)
        stored = (await site.order_meta(order)).get("_tillsync_answer", {})
        return (stored.get("outcome"), stored.get("epos_customer_id")) == ("OUTCOME_MATCHED_EMAIL", str(ada))

    await site.until(answer)
    await site.until(lambda: site.rows(f"SELECT * FROM {{prefix}}tillsync_customer WHERE user_id = {user} AND points = '120'"))
    await client.sync.sync_customer_type(ACCOUNT, gold, vocabulary_pb2.CUSTOMER_TYPE_ACTION_ADD)
    await site.until(lambda: site.rows("SELECT * FROM {prefix}tillsync_customer_type WHERE name = 'Gold'"))
    till.change_customer(ada, points=75)
    await client.sync.sync_customer(ACCOUNT, ada)
    await site.until(lambda: site.rows(f"SELECT * FROM {{prefix}}tillsync_customer WHERE user_id = {user} AND points = '75'"))
    await site.until(lambda: site.rows(f"SELECT * FROM {{prefix}}tillsync_event WHERE subject = 'order:{order}'"))
    checked = await client.accounts.check_account(ACCOUNT)
    assert [step.name for step in checked.steps if not step.ok] == []
    assert site.complaints() == []


@pytest.mark.earlier_release
async def test_earlier_bridge_works_with_todays_service(earlier_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(earlier_site, database.dsn) as bridged:
        await an_order_and_its_shoppers_points(earlier_site, bridged.till, bridged.service.client)
        account = await bridged.service.client.accounts.get_account(ACCOUNT)
        assert (account.HasField("problem"), list(account.warnings)) == (False, [])


@asynccontextmanager
async def earlier_service(earlier: Path, dsn: str) -> AsyncIterator[tuple[TillsyncClient, str]]:
    """Yields its client and its address. The database has today's schema, because releases share it too."""
    address = f"127.0.0.1:{free_port()}"
    settings = environment(dsn, TILLSYNC_HTTP_LISTEN=address, TILLSYNC_PUBLIC_URL=f"http://{address}", PYTHONPATH=python_path(earlier))
    with child(["serve"], settings, earlier.parent) as process:
        await process.started(last="HTTP")
        async with TillsyncClient(f"127.0.0.1:{process.grpc_port}", ADMIN_TOKEN) as client:
            yield client, address
        await process.stop()


@pytest.mark.earlier_release
async def test_todays_bridge_works_with_an_earlier_service(earlier: Path, wp_site: Shop, database: TestDatabase) -> None:
    async with AsyncExitStack() as stack:
        till = await stack.enter_async_context(SandboxTill())
        client, _ = await stack.enter_async_context(earlier_service(earlier, database.dsn))
        epos = account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        default = till.add_customer(forename="Web", surname="Orders", email="")
        account = account_pb2.Account(customer_sync_enabled=True, epos=epos, default_epos_customer_id=default)
        await client.accounts.create_account(ACCOUNT, account)
        token = await client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=ACCOUNT, name="bridge")
        await wp_site.php(CONNECT, user="admin", string=token.connect_string)
        await an_order_and_its_shoppers_points(wp_site, till, client)
        assert await wp_site.php(SERVICE_API) == 1, "the bridge sends it no newer field"


async def test_both_sides_know_that_the_other_ignores_new_fields(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn) as bridged:
        assert await wp_site.php(SERVICE_API) == 2
        checked = await bridged.service.client.accounts.check_account(ACCOUNT)
        [status] = [step for step in checked.steps if step.name == "bridge_status"]
        assert status.details["api"] == "3"
