"""Two releases together: the plugin of an earlier commit with today's service, today's plugin with that commit's service, and an update of
the plugin in place, forward and back."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from support.directories import reachable_directory
from support.earlier_release import COMMIT, newest_release, python_path, unpack
from support.postgres import TestDatabase
from support.service import ADMIN_TOKEN, child, environment
from tillsync.v1 import account_pb2, token_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxTill
from wordpress.conftest import Sites
from wordpress.harness.bridge import ACCOUNT, bridged_shop
from wordpress.harness.build import built_site
from wordpress.harness.kinds import BRIDGE, SiteKind
from wordpress.harness.shop import Shop
from wordpress.harness.web import free_port
from wordpress.test_points_shown import ask

pytestmark = pytest.mark.shops("mariadb")

CONNECT = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\Connector::class )->connect( $string );"
DRAIN = """
    global $wpdb;
    $wpdb->query( "UPDATE {$wpdb->prefix}tillsync_outbox SET due_at = due_at - 3600" );
    Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run( null, true );
"""
ANSWERS = """
    $answers = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Answers::class );
    return array_map( static function ( $order ) use ( $answers ) {
        $answer = $answers->of( wc_get_order( $order ) )?->to_stored();
        return null === $answer ? null : array( $answer['outcome'], $answer['epos_customer_id'] );
    }, $orders );
"""
"""The outcome and the till customer that the installed release finds at each order."""
MATCH_AGAIN = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Outbox::class )->request_match( $order, false );"
SERVICE_API = "return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Service\\ServiceApi::class )->version();"
EARLIER = {"first wire": COMMIT, "previous release": newest_release()}
"""The commits that run beside today's, by their id in the tests."""


def api_of(earlier: Path) -> int:
    """The version of the wire that the earlier service declares. The service of the first wire declares none."""
    sources = [path.read_text(encoding="utf-8") for path in (earlier / "server/tillsync_server/adapters").rglob("*.py")]
    declared = [int(found[1]) for text in sources if (found := re.search(r"^SERVICE_API\b.*? = (\d+)\b", text, re.MULTILINE))]
    return declared[0] if declared else 1


@pytest.fixture(params=list(EARLIER))
def which(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def earlier(which: str) -> Iterator[Path]:
    with reachable_directory("earlier-") as directory:
        yield unpack(directory, EARLIER[which])


@pytest.fixture
def earlier_site(earlier: Path, wp_kind: SiteKind, built_sites: Sites) -> Iterator[Shop]:
    with built_site(wp_kind, built_sites.database_for(wp_kind), bridge=earlier / "tillsync-bridge") as site:
        yield site


async def shown(site: Shop, user: int, points: str) -> None:
    """Waits until the shopper sees the points."""
    session = await site.log_in(user)

    async def shows() -> bool:
        return bool((await ask(site, session)).json["points"] == points)

    await site.until(shows)


async def an_answered_order(site: Shop, till: SandboxTill, name: str, type_id: int | None = None) -> tuple[int, int, int]:
    """Waits for the answer of a new shopper's order, and for the shopper's 120 points. Returns till customer, user and order."""
    email = f"{name}@example.test"
    epos_id = till.add_customer(forename=name.title(), surname="Byron", email=email, points=120, type_id=type_id)
    user = await site.add_user(email)
    order = await site.add_order(customer_id=user, email=email, first_name=name.title(), last_name="Byron")

    await drained_until_answered(site, order, epos_id)
    await shown(site, user, "120")
    return epos_id, user, order


async def drained_until_answered(site: Shop, order: int, epos_id: int) -> None:
    async def answered() -> bool:
        return bool(await site.php(DRAIN + ANSWERS, orders=[order]) == [matched(epos_id)])

    await site.until(answered)


def matched(epos_id: int) -> list[str]:
    return ["OUTCOME_MATCHED_EMAIL", str(epos_id)]


async def an_order_and_its_shoppers_points(site: Shop, till: SandboxTill, client: TillsyncClient) -> None:
    """Plays a merchant's main use by every route of both sides."""
    gold = till.add_type(name="Gold")
    ada, user, order = await an_answered_order(site, till, "ada", type_id=gold)
    await client.sync.sync_customer_type(ACCOUNT, gold, vocabulary_pb2.CUSTOMER_TYPE_ACTION_ADD)
    await site.until(lambda: site.rows("SELECT * FROM {prefix}tillsync_customer_type WHERE name = 'Gold'"))
    till.change_customer(ada, points=75)
    await client.sync.sync_customer(ACCOUNT, ada)
    await shown(site, user, "75")
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
        account = account_pb2.Account(
            customer_sync_enabled=True, epos=epos, default_epos_customer_id=default, trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL
        )
        await client.accounts.create_account(ACCOUNT, account)
        token = await client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=ACCOUNT, name="bridge")
        await wp_site.php(CONNECT, user="admin", string=token.connect_string)
        await an_order_and_its_shoppers_points(wp_site, till, client)
        assert await wp_site.php(SERVICE_API) == api_of(earlier)


class Installed:
    """The plugin's folder in a shop. An update replaces its files, as WordPress does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._times = itertools.count(1_700_000_000, 10)

    def replace(self, release: Path) -> str:
        """Returns the release's version."""
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(release, self.folder)
        time = next(self._times)  # PHP keeps a compiled file while its time is the same
        for path in self.folder.rglob("*.php"):
            os.utime(path, (time, time))
        found = re.search(r"^const VERSION += '(.+)';$", (release / "tillsync-bridge.php").read_text(encoding="utf-8"), re.MULTILINE)
        assert found
        return found[1]


INSTALLED = """
    $connection = Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\ConnectionStore::class )->current();
    $is_current = (int) get_option( 'tillsync_bridge_schema' ) >= Tillsync\\Bridge\\Schema\\Tables::VERSION;
    return array( Tillsync\\Bridge\\VERSION, $connection->bridge_secret, $is_current );
"""


@pytest.mark.earlier_release
@pytest.mark.parametrize("which", ["previous release"], indirect=True)
async def test_an_update_in_place_and_back_keep_connection_answers_and_points(
    earlier: Path, wp_kind: SiteKind, built_sites: Sites, database: TestDatabase
) -> None:
    """The previous release works on the tables and the connection of today's. It finds today's answers after a repeated match, because
    0.1.0 reads no JSON text."""
    installed = Installed(earlier.parent / "installed")
    releases = {"previous": earlier / "tillsync-bridge", "today": BRIDGE}
    installed.replace(releases["previous"])
    with built_site(wp_kind, built_sites.database_for(wp_kind), bridge=installed.folder) as site:
        async with bridged_shop(site, database.dsn) as bridged:
            secret, session = await bridged.secret(), await site.log_in()
            answered, first_user = dict[int, tuple[str, int]](), 0
            for release in ("previous", "today", "previous"):
                version = installed.replace(releases[release])
                assert (await site.request("GET", "/wp-admin/plugins.php", session=session)).status == 200
                assert await site.php(INSTALLED) == [version, secret, True]
                for order, (writer, customer) in answered.items():
                    if (writer, release) == ("today", "previous"):
                        await site.php(MATCH_AGAIN, order=order)
                        await drained_until_answered(site, order, customer)
                assert await site.php(ANSWERS, orders=list(answered)) == [matched(customer) for _, customer in answered.values()]
                customer, user, order = await an_answered_order(site, bridged.till, f"shopper{len(answered)}")
                answered[order] = release, customer
                first_user = first_user or user
                await shown(site, first_user, "120")
            events = await site.rows("SELECT subject FROM {prefix}tillsync_event")
            assert {row["subject"] for row in events} >= {f"order:{order}" for order in answered}
            checked = await bridged.service.client.accounts.check_account(ACCOUNT)
            assert [step.name for step in checked.steps if not step.ok] == []
            assert site.complaints() == []


async def test_both_sides_know_that_the_other_ignores_new_fields(wp_site: Shop, database: TestDatabase) -> None:
    async with bridged_shop(wp_site, database.dsn) as bridged:
        assert await wp_site.php(SERVICE_API) == 3
        checked = await bridged.service.client.accounts.check_account(ACCOUNT)
        [status] = [step for step in checked.steps if step.name == "bridge_status"]
        assert status.details["api"] == "3"
