"""Runs the shop's steps of CheckAccount.

With a bridge they read the bridge's status and compare the shop's own address with the account's. Without a bridge they test ``wc/v3`` and
the consumer keys.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from tillsync_server.application.use_cases.check_steps import SideRun
from tillsync_server.domain.account import Account
from tillsync_server.ports.shop import ShopGateway, ShopStatus


async def check_shop(run: SideRun, account: Account, shops: ShopGateway) -> ShopStatus | None:
    """Returns the bridge's status of the shop, or None without a bridge."""
    if account.shop.has_bridge:
        return await _check_bridge(run, account, shops)
    await _check_keys(run, account, shops)
    return None


async def _check_bridge(run: SideRun, account: Account, shops: ShopGateway) -> ShopStatus:
    with run.step("bridge_status"):
        status = await shops.client(account).status()
    run.passed(
        "bridge_status",
        f"The tillsync bridge {status.bridge_version} answers.",
        bridge_version=status.bridge_version,
        wordpress=status.wordpress,
        woocommerce=status.woocommerce,
        api=status.api,
        max_batch=status.max_batch,
    )
    run.passed("address", f"The shop calls itself {status.home_url}.", home_url=status.home_url)
    if _host_and_path(status.home_url) != _host_and_path(account.shop.base_url):
        run.warn(
            "address_differs",
            f"The shop calls itself {status.home_url}, the account says {account.shop.base_url}: it may be a copy of another shop.",
            "If it is, connect the bridge again from the right shop; otherwise set shop.base_url to the shop's own address.",
        )
    return status


async def _check_keys(run: SideRun, account: Account, shops: ShopGateway) -> None:
    with run.step("address"):
        shop = shops.client(account)
        await shop.probe()
    run.passed("address", "WooCommerce's REST API answers at the shop's address.", base_url=account.shop.base_url)
    with run.step("consumer_keys"):
        await shop.check_access()
    run.passed("consumer_keys", "WooCommerce accepts the consumer key and secret for reading customers.")
    run.warn(
        "no_bridge",
        "The tillsync bridge plugin is not connected: updates are slower and customer types cannot be written.",
        "Install the bridge plugin in the shop and connect it.",
    )


def _host_and_path(url: str) -> tuple[str, str]:
    """Returns host with port, and path, which identify a shop. It ignores the scheme, because WordPress behind a proxy
    that ends TLS may say http."""
    parts = urlsplit(url)
    host = (parts.netloc.rpartition("@")[2]).lower().removesuffix(":443").removesuffix(":80")
    return host, parts.path.rstrip("/")
