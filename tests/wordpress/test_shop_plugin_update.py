"""A merchant updates the plugin: WordPress itself downloads, checks and installs a release of the connected service."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.bridge_releases import VERSION, make_release, public_key_of
from support.directories import reachable_directory
from support.postgres import TestDatabase
from wordpress.conftest import Sites
from wordpress.harness.bridge import ACCOUNT, BridgedShop, bridged_shop
from wordpress.harness.build import built_site
from wordpress.harness.kinds import BRIDGE, SiteKind
from wordpress.harness.shop import Shop

pytestmark = pytest.mark.shops("sqlite")
KEY = Ed25519PrivateKey.generate()
PLUGIN = "tillsync-bridge/tillsync-bridge.php"

WORDPRESS_ORG = """
    add_filter( 'pre_http_request', static function ( $reply, $arguments, $url ) {
        if ( ! str_contains( $url, 'api.wordpress.org' ) ) { return $reply; }
        $body = json_encode( array( 'plugins' => array(), 'translations' => array(), 'no_update' => array() ) );
        return array( 'headers' => array(), 'body' => $body, 'response' => array( 'code' => 200, 'message' => '' ), 'cookies' => array() );
    }, 10, 3 );
"""
LOOK = """
    delete_site_transient( 'update_plugins' );
    wp_update_plugins();
    $found = get_site_transient( 'update_plugins' );
    return array( $found->response[ $plugin ]->new_version ?? null, $found->no_update[ $plugin ]->new_version ?? null );
"""
UPDATE = """
    require_once ABSPATH . 'wp-admin/includes/class-wp-upgrader.php';
    $skin = new WP_Ajax_Upgrader_Skin();
    ( new Plugin_Upgrader( $skin ) )->bulk_upgrade( array( $plugin ) );
    return array( $skin->get_error_messages(), get_plugin_data( WP_PLUGIN_DIR . '/' . $plugin )['Version'], is_plugin_active( $plugin ) );
"""
"""What the button "Update now" does."""
HEALTH = "return Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Updates\\UpdateHealth::class )->result();"


@pytest.fixture
def releases() -> Iterator[Path]:
    with reachable_directory("releases-") as directory:
        yield directory


@pytest.fixture
def own_site(wp_kind: SiteKind, built_sites: Sites) -> Iterator[Shop]:
    """A site with a copy of the plugin that trusts KEY. The update replaces the copy, never the repository's folder."""
    with reachable_directory("plugin-") as directory:
        bridge = directory / "tillsync-bridge"
        shutil.copytree(BRIDGE, bridge)
        keys = bridge / "release-keys.php"
        keys.write_text(keys.read_text(encoding="utf-8").replace("array()", f"array( '{public_key_of(KEY)}' )"), encoding="utf-8")
        with built_site(wp_kind, built_sites.database_for(wp_kind), bridge=bridge) as site:
            plugin = site.content / "plugins/tillsync-bridge"
            plugin.unlink()
            shutil.copytree(bridge, plugin)
            site.inject(WORDPRESS_ORG)
            yield site


@pytest_asyncio.fixture
async def bridged_copy(own_site: Shop, database: TestDatabase, releases: Path) -> AsyncIterator[BridgedShop]:
    async with bridged_shop(own_site, database.dsn, changes={"TILLSYNC_BRIDGE_RELEASES_DIR": str(releases)}) as bridged:
        yield bridged


async def test_merchant_installs_only_the_signed_release(bridged_copy: BridgedShop, releases: Path) -> None:
    site = bridged_copy.site

    async def offered() -> object:
        return await site.php(LOOK, admin=True, user="admin", plugin=PLUGIN)

    async def updated() -> list[object]:
        done: list[object] = await site.php(UPDATE, admin=True, user="admin", plugin=PLUGIN)
        return done

    assert await offered() == [None, VERSION]
    make_release(releases, "99.4.0", KEY)
    (releases / "rings.toml").write_text(f'["99.4.0"]\naccounts = ["{ACCOUNT}"]\n', encoding="utf-8")

    async def is_offered() -> bool:
        return await offered() == ["99.4.0", None]

    await site.until(is_offered)
    make_release(releases, "99.4.0", Ed25519PrivateKey.generate())

    async def is_refused() -> bool:
        text, version, active = await updated()
        # While the files change, the service may offer nothing for a moment, and the text is empty.
        assert (version, active) == (VERSION, True)
        return "none of the keys in this plugin has signed it" in str(text)

    await site.until(is_refused)
    assert (await site.php(HEALTH))["status"] == "critical"
    make_release(releases, "99.4.0", KEY)
    await site.until(is_offered)
    assert await updated() == ["", "99.4.0", True]
    assert (site.content / "plugins/tillsync-bridge/src/Updates/Release.php").is_file()
    assert await offered() == [None, "99.4.0"]
    assert (await site.php(HEALTH))["status"] == "good"

    async def version_seen() -> bool:
        seen = [(each.account_id, each.version) async for each in bridged_copy.service.client.bridges.list_versions()]
        return seen == [(ACCOUNT, "99.4.0")]

    await site.until(version_seen)
