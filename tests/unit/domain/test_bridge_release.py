"""Which release of the bridge an account gets, and which bridges are outdated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tillsync_server.domain.bridge_release import SUPPORTED, BridgeRelease, ReleaseFolder, Ring, version_order
from tillsync_server.domain.ids import AccountId

NOW = datetime(2026, 6, 1, tzinfo=UTC)
SHOP_A, SHOP_B = AccountId("shop-a"), AccountId("shop-b")
EVERYONE = Ring(percent=100)
ACCOUNTS = [AccountId(f"shop-{number}") for number in range(2000)]


def release(version: str, ring: Ring = EVERYONE, *, age: timedelta = timedelta(days=1)) -> BridgeRelease:
    return BridgeRelease(
        version=version,
        published=NOW - age,
        size=3,
        manifest=b"{}",
        signatures=(b"s" * 64,),
        is_signature_checked=True,
        ring=ring,
    )


def folder(*releases: BridgeRelease) -> ReleaseFolder:
    return ReleaseFolder(tuple(sorted(releases, key=lambda each: version_order(each.version))), has_directory=True)


def offered(of: ReleaseFolder, account_id: AccountId, bridge_version: str) -> str | None:
    update = of.update_of(account_id, bridge_version)
    return None if update is None else update.version


def test_account_gets_the_newest_release_of_its_rings() -> None:
    releases = folder(release("1.9.0"), release("1.10.0"), release("1.11.0", Ring(frozenset({SHOP_A}))), release("2.0.0", Ring()))
    assert offered(releases, SHOP_A, "1.2.0") == "1.11.0"
    assert offered(releases, SHOP_B, "1.2.0") == "1.10.0"


def test_only_a_newer_release_is_offered() -> None:
    releases = folder(release("1.9.0"), release("1.10.0"))
    assert offered(releases, SHOP_A, "1.10.0") is None
    assert offered(releases, SHOP_A, "1.11.0") is None
    assert offered(releases, SHOP_A, "1.9.9") == "1.10.0"
    assert offered(ReleaseFolder(), SHOP_A, "0.1.0") is None
    with pytest.raises(ValueError, match=r"'1\.10' is no version of three numbers"):
        releases.update_of(SHOP_A, "1.10")


def test_raised_share_keeps_its_accounts_and_another_version_begins_with_others() -> None:
    tenth = {account for account in ACCOUNTS if Ring(percent=10).includes(account, "1.4.0")}
    half = {account for account in ACCOUNTS if Ring(percent=50).includes(account, "1.4.0")}
    other = {account for account in ACCOUNTS if Ring(percent=10).includes(account, "1.5.0")}
    assert 140 < len(tenth) < 260
    assert 900 < len(half) < 1100
    assert tenth < half
    assert len(tenth & other) < 60
    assert all(EVERYONE.includes(account, "1.4.0") for account in ACCOUNTS)
    assert not any(Ring().includes(account, "1.4.0") for account in ACCOUNTS)


def test_release_outside_the_accounts_ring_is_not_handed_out() -> None:
    releases = folder(release("1.4.0", Ring(frozenset({SHOP_A}))))
    assert releases.release(SHOP_A, "1.4.0") is not None
    assert releases.release(SHOP_B, "1.4.0") is None
    assert releases.release(SHOP_A, "1.3.0") is None


def test_bridge_is_outdated_when_a_newer_release_is_a_year_old() -> None:
    releases = folder(release("1.0.0", age=3 * SUPPORTED), release("1.1.0", age=SUPPORTED), release("1.2.0"))
    assert releases.is_outdated("1.0.0", NOW)
    assert not releases.is_outdated("1.0.0", NOW - timedelta(seconds=1))
    assert not releases.is_outdated("1.1.0", NOW)
    assert not releases.is_outdated("1.2.0", NOW)
