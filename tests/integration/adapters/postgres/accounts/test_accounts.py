"""The account store encrypts secrets, enqueues the subjects that a change concerns, and compares tills.

tests/contracts/test_accounts_contract.py tests the rest of the port.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from support.engine import EngineWorld, claim_limits, entries_of
from support.queues import HELD, finish, order_facts, take_order
from support.waiting import within
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox, SecretKeyError
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.entry_decision import decide_entry
from tillsync_server.domain.enums import (
    EntryKind,
    GuestPolicy,
    MatchEmail,
    Outcome,
    ProblemReason,
    Side,
    TillApiVersion,
    TillTypeField,
)
from tillsync_server.domain.errors import FailedPrecondition, Unavailable
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.settings_change import Requeue, SettingsEffect
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimRequest, Completion, CompletionResult

pytestmark = pytest.mark.integration
KEY, OLD_KEY = "a key for these tests " * 2, "a former key for these tests " * 2
SHOP = AccountId("shop-a")
FULL = Account(
    account_id=SHOP,
    name="Shop A",
    customer_sync_enabled=False,
    default_epos_customer_id=EposCustomerId(7),
    match_email=MatchEmail.BILLING,
    guest_policy=GuestPolicy.MATCH_OR_CREATE,
    auto_link=False,
    sync_names=True,
    sync_phone=True,
    till_id=TillId("till-a"),
    shared_till=True,
    epos=EposSettings(
        base_url="https://till.example.test",
        api_key="key-1",
        api_secret="secret-1",
        customer_api_version=TillApiVersion.V4,
        customer_type_api_version=TillApiVersion.V4,
        v4_type_field=TillTypeField.TYPE,
        requests_per_minute=60,
        webhook_key="hook-1",
        webhook_secret="hook-secret-1",
    ),
    shop=ShopSettings(base_url="https://shop.example.test", consumer_key="ck", consumer_secret="cs", bridge_secret="bridge"),
)
PLAIN = Account(account_id=SHOP, till_id=TillId("shop-a"))


def account_store(world: EngineWorld, *keys: str) -> PostgresAccounts:
    return PostgresAccounts(world.database, SecretBox(keys or (KEY,)), world.notifications)


def change(**changes: object) -> Callable[[Account], Account]:
    return lambda account: replace(account, **changes)  # type: ignore[arg-type]


async def version(world: EngineWorld) -> int:
    [row] = await world.fetch("SELECT config_version FROM lane WHERE account_id = 'shop-a'")
    return int(row["config_version"])


async def requeued(world: EngineWorld) -> list[int]:
    return [row["what"] for row in await world.fetch("SELECT what FROM requeue WHERE account_id = 'shop-a' ORDER BY what")]


async def create_with_work(world: EngineWorld, accounts: PostgresAccounts, account: Account = PLAIN) -> None:
    """Creates the account with three links, two known types, two held orders, and pending removals of two shop customers."""
    await accounts.create(account)
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) SELECT 'shop-a', n, n + 100, 1 "
        "FROM generate_series(1, 3) n "
        "RETURNING 1"
    )
    await world.fetch(
        "INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash) "
        "VALUES ('shop-a', 41, 'h'), ('shop-a', 42, NULL) RETURNING 1"
    )
    await world.fetch(
        "INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ('shop-a', 8, 9), ('shop-a', 7, 9) RETURNING 1"
    )
    for order_id in (1, 2):
        await finish(world, await take_order(world, "shop-a", order_facts(order_id)), HELD)


async def test_account_is_read_as_created_and_its_secrets_are_encrypted(world: EngineWorld) -> None:
    accounts = account_store(world)
    created = await accounts.create(FULL)
    assert replace(created, create_time=None, update_time=None) == FULL
    assert created.create_time is not None
    assert await accounts.get(SHOP) == created
    assert (await accounts.create(replace(PLAIN, account_id=AccountId("shop-b"), till_id=TillId("shop-b")))).epos.api_key == ""
    [row] = await world.fetch("SELECT account::text AS row FROM account WHERE account_id = 'shop-a'")
    assert not [secret for secret in ("secret-1", "hook-secret-1", "bridge") if secret.encode().hex() in row["row"] or secret in row["row"]]
    assert await world.fetch("SELECT 1 FROM till WHERE till_id = 'till-a'")


async def test_concurrent_accounts_of_one_till_are_refused_except_one(world: EngineWorld) -> None:
    accounts = account_store(world)
    created = await asyncio.gather(
        *(accounts.create(replace(PLAIN, account_id=AccountId(f"shop-{n}"), till_id=TillId("one"))) for n in range(6)),
        return_exceptions=True,
    )
    assert sum(isinstance(result, Account) for result in created) == 1
    assert {result.reason for result in created if isinstance(result, FailedPrecondition)} == {"TILL_NOT_SHARED"}
    assert len(await accounts.accounts_of_till(TillId("one"))) == 1


async def test_concurrent_changes_are_all_stored(world: EngineWorld) -> None:
    accounts = account_store(world)
    await accounts.create(replace(PLAIN, name=""))
    await asyncio.gather(*(accounts.update(SHOP, lambda account: replace(account, name=account.name + "x")) for _ in range(8)))
    assert (await accounts.get(SHOP)).name == "x" * 8
    assert await version(world) == 9


SWITCHED_OFF = replace(PLAIN, customer_sync_enabled=False)
ALL = SettingsEffect(
    queued_customers=3,
    queued_customer_types=2,
    requeued_entries=2,
    notes=(
        "3 linked customers are synced again",
        "2 customer types are synced again",
        "2 held orders are matched again",
        "1 unlinked customer's values are removed from the shop",
    ),
)


@pytest.mark.parametrize(
    ("start", "changes", "requeues", "counts"),
    [
        (SWITCHED_OFF, {"customer_sync_enabled": True}, [1, 2, 3, 4], (3, 2, 2)),
        (PLAIN, {"customer_sync_enabled": False}, [], (0, 0, 0)),
        (PLAIN, {"default_epos_customer_id": EposCustomerId(99)}, [3], (0, 0, 2)),
        (PLAIN, {"match_email": MatchEmail.BILLING}, [3], (0, 0, 2)),
        (PLAIN, {"guest_policy": GuestPolicy.MATCH_ONLY}, [3], (0, 0, 2)),
        (PLAIN, {"auto_link": False}, [3], (0, 0, 2)),
        (PLAIN, {"sync_names": True}, [1], (3, 0, 0)),
        (PLAIN, {"sync_phone": True}, [1], (3, 0, 0)),
        (SWITCHED_OFF, {"sync_phone": True}, [], (0, 0, 0)),
        (PLAIN, {"shop": ShopSettings(base_url="https://other.example.test")}, [1, 2, 4], (3, 2, 0)),
        (PLAIN, {"shop": ShopSettings(bridge_secret="b")}, [1, 2, 4], (3, 2, 0)),
        (PLAIN, {"name": "other"}, [], (0, 0, 0)),
    ],
    ids=[
        "sync enabled",
        "sync disabled",
        "default customer",
        "match email",
        "guest policy",
        "auto link",
        "names",
        "phone",
        "phone while sync is disabled",
        "shop address",
        "bridge secret",
        "display name",
    ],
)
async def test_each_change_enqueues_the_subjects_that_it_concerns(
    world: EngineWorld, start: Account, changes: dict[str, object], requeues: list[int], counts: tuple[int, int, int]
) -> None:
    accounts = account_store(world)
    await create_with_work(world, accounts, start)
    planned = await accounts.update(SHOP, change(**changes), dry_run=True)
    assert await requeued(world) == []
    assert replace(await accounts.get(SHOP), create_time=None, update_time=None) == start
    assert await version(world) == 1
    done = await accounts.update(SHOP, change(**changes))
    assert planned.effect == done.effect
    assert (done.effect.queued_customers, done.effect.queued_customer_types, done.effect.requeued_entries) == counts
    assert await requeued(world) == requeues
    assert await version(world) == 2
    if len(requeues) == 4:
        assert done.effect == ALL


async def test_change_of_the_shop_clears_the_hashes_of_types(world: EngineWorld) -> None:
    accounts = account_store(world)
    await create_with_work(world, accounts)
    await accounts.update(SHOP, change(shop=ShopSettings(base_url="https://other.example.test")))
    assert not await world.fetch("SELECT 1 FROM customer_type WHERE content_hash IS NOT NULL")


async def pause_till(world: EngineWorld) -> None:
    await world.hint("shop-a", 1)
    await world.open_problem("shop-a", Side.TILL, reason=ProblemReason.CREDENTIALS_REFUSED, text="refused", failures=4)


@pytest.mark.parametrize(
    "changes",
    [
        {"epos": EposSettings(api_key="new")},
        {"epos": EposSettings(base_url="https://till.example.test")},
        {"epos": EposSettings(customer_api_version=TillApiVersion.V4)},
        {"shop": ShopSettings(consumer_secret="new")},
        {"shop": ShopSettings(bridge_secret="new")},
    ],
    ids=["till key", "till address", "till API version", "shop secret", "bridge secret"],
)
async def test_new_credentials_make_the_probe_due_and_keep_the_problem_open(world: EngineWorld, changes: dict[str, object]) -> None:
    accounts = account_store(world)
    await accounts.create(PLAIN)
    await pause_till(world)
    ready = asyncio.Event()
    world.notifications.on_lanes_ready(ready.set)
    changed = await accounts.update(SHOP, change(**changes))
    [lane] = await world.fetch("SELECT failures, next_probe_at <= now() AS ready FROM lane JOIN account_side USING (account_id)")
    assert (lane["failures"], lane["ready"]) == (0, True)
    [problem] = changed.account.problems
    assert (problem.reason, problem.next_try_time) == (ProblemReason.CREDENTIALS_REFUSED, None)
    await within(ready.wait())


async def test_other_changes_do_not_end_the_pause(world: EngineWorld) -> None:
    accounts = account_store(world)
    await accounts.create(PLAIN)
    await pause_till(world)
    await accounts.update(SHOP, change(name="other", auto_link=False, epos=EposSettings(requests_per_minute=5)))
    [lane] = await world.fetch(
        "SELECT failures, next_run_at > now() AND next_probe_at > now() AS waits FROM lane JOIN account_side USING (account_id)"
    )
    assert (lane["failures"], lane["waits"]) == (4, True)


async def test_end_of_a_pause_without_work_makes_no_lane_ready(world: EngineWorld) -> None:
    accounts = account_store(world)
    await accounts.create(PLAIN)
    await world.open_problem("shop-a", Side.TILL)
    await accounts.update(SHOP, change(epos=EposSettings(api_key="new")))
    assert (await world.lanes.lease("owner-3", limit=0, bulk_limit=0, probe_limit=1, lease_seconds=30)).seconds_until_due is None


async def test_completion_under_former_settings_is_dropped(world: EngineWorld) -> None:
    """Invariant 6. The run reads version 1, then the settings change. The completion is dropped, and the entry runs again."""
    accounts = account_store(world)
    await accounts.create(PLAIN)
    await world.hint("shop-a", 1)
    [lease] = (await world.lanes.lease("worker", limit=1, bulk_limit=1, probe_limit=1, lease_seconds=30)).leases
    [[entry]] = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    assert (await accounts.at_version(SHOP, entry.config_version)).sync_names is False
    await accounts.update(SHOP, change(sync_names=True))
    decision = decide_entry(Verdict.finished(Outcome.UPDATED), attempts_before=0, policy=RetryPolicy())
    assert await world.lanes.complete([Completion(lease, entry, decision, 0.1)]) == [CompletionResult.DROPPED]
    [[next_claim]] = entries_of(await world.lanes.claim([ClaimRequest(lease, claim_limits(10))]))
    assert (next_claim.entry_id, next_claim.kind, next_claim.config_version) == (entry.entry_id, EntryKind.CUSTOMER, 2)
    assert (await accounts.at_version(SHOP, next_claim.config_version)).sync_names is True


async def test_locked_lane_makes_a_change_unavailable(world: EngineWorld) -> None:
    accounts = account_store(world)
    await accounts.create(PLAIN)
    async with world.database.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM lane WHERE account_id = 'shop-a' FOR UPDATE")
        with pytest.raises(Unavailable):
            await accounts.update(SHOP, change(name="x"))


async def test_reencrypt_encrypts_every_secret_with_the_first_key(world: EngineWorld) -> None:
    for number in range(3):
        await account_store(world, OLD_KEY).create(replace(FULL, account_id=AccountId(f"shop-{number}")))
    await account_store(world, KEY).create(replace(FULL, account_id=AccountId("shop-new")))
    two_keys = account_store(world, KEY, OLD_KEY)
    assert await two_keys.reencrypt() == 3
    assert await two_keys.reencrypt() == 0
    first_key = account_store(world, KEY)
    for account in await first_key.list_accounts(after=None, limit=10):
        assert (account.epos, account.shop, account.config_version) == (FULL.epos, FULL.shop, 1)


async def test_error_about_a_wrong_key_names_the_setting(world: EngineWorld) -> None:
    await account_store(world, OLD_KEY).create(FULL)
    for read in (account_store(world, KEY).get(SHOP), account_store(world, KEY).reencrypt()):
        with pytest.raises(SecretKeyError, match="TILLSYNC_SECRET_KEY"):
            await read


async def test_tills_of_one_address_with_common_customers_are_found(world: EngineWorld) -> None:
    accounts = account_store(world)
    for name, address in (("a", "one"), ("b", "one"), ("c", "two"), ("d", "one")):
        epos = EposSettings(base_url=f"https://{address}.example.test")
        await accounts.create(Account(account_id=AccountId(name), till_id=TillId(f"till-{name}"), epos=epos))
    customer_ids = [EposCustomerId(n) for n in range(1, 400)]
    await accounts.note_customer_ids(TillId("till-b"), customer_ids)
    await accounts.note_customer_ids(TillId("till-c"), customer_ids)
    await accounts.note_customer_ids(TillId("till-d"), [EposCustomerId(5000)])
    assert await accounts.tills_with_same_customers(TillId("till-a"), customer_ids[100:150]) == ["till-b"]
    assert await accounts.tills_with_same_customers(TillId("till-a"), [EposCustomerId(9999)]) == []
    [row] = await world.fetch("SELECT cardinality(sample_customer_ids) AS kept FROM till WHERE till_id = 'till-b'")
    assert row["kept"] == 200


async def test_link_created_during_the_count_is_enqueued(world: EngineWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link's own entry ran under the old setting, so only this change enqueues the customer again."""
    accounts = account_store(world)
    await accounts.create(SWITCHED_OFF)
    count = accounts._count

    async def count_and_link(account_id: AccountId, obsolete: Iterable[Requeue]) -> dict[Requeue, int]:
        counted = await count(account_id, obsolete)
        await world.fetch("INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin) VALUES ('shop-a', 1, 2, 1) RETURNING 1")
        return counted

    monkeypatch.setattr(accounts, "_count", count_and_link)
    done = await accounts.update(SHOP, change(customer_sync_enabled=True))
    assert done.effect.queued_customers == 1
    assert await requeued(world) == [1]


async def test_resume_of_a_side_closes_its_problem_and_makes_the_lane_ready(world: EngineWorld) -> None:
    accounts = account_store(world)
    created = await accounts.create(PLAIN)
    await pause_till(world)
    [problem] = (await accounts.get(SHOP)).problems
    other_side = Side.TILL if problem.side is Side.SHOP else Side.SHOP
    assert not await accounts.resume_side(SHOP, other_side, config_version=created.config_version)
    assert not await accounts.resume_side(SHOP, problem.side, config_version=created.config_version + 1), "the test used other settings"
    assert (await accounts.get(SHOP)).problems
    assert await accounts.resume_side(SHOP, problem.side, config_version=created.config_version)
    assert (await accounts.get(SHOP)).problems == ()
    [lane] = await world.fetch(
        "SELECT till_probe_at, failures, next_run_at <= now() AS ready FROM lane JOIN account_side USING (account_id)"
    )
    assert tuple(lane) == (None, 0, True)
    assert not await accounts.resume_side(SHOP, problem.side, config_version=created.config_version), "the problem is closed"
