"""Bridge versions of accounts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from fakes.bridges import FakeSeenBridges
from support.engine import EngineWorld
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.accounts.seen_bridges import PostgresSeenBridges
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.ports.bridges import SeenBridges

A, B, C = AccountId("shop-a"), AccountId("shop-b"), AccountId("shop-c")


class SeenBridgesContract:
    async def test_last_version_of_each_account_is_listed_in_order(self, bench: SeenBridges) -> None:
        for account_id, version in ((C, "1.3.0"), (A, "1.3.0"), (B, "1.2.0"), (A, "1.4.0")):
            await bench.note(account_id, version)
        seen = await bench.list_seen(after=None, limit=10)
        assert [(each.account_id, each.version) for each in seen] == [(A, "1.4.0"), (B, "1.2.0"), (C, "1.3.0")]
        assert all(abs(datetime.now(UTC) - each.seen_time) < timedelta(minutes=5) for each in seen)
        assert [each.account_id for each in await bench.list_seen(after=A, limit=1)] == [B]
        assert await bench.list_seen(after=C, limit=10) == []

    async def test_unknown_account_is_not_stored(self, bench: SeenBridges) -> None:
        await bench.note(AccountId("nobody"), "1.4.0")
        assert await bench.list_seen(after=None, limit=10) == []


class TestFakeSeenBridges(SeenBridgesContract):
    @pytest.fixture
    def bench(self) -> SeenBridges:
        return FakeSeenBridges({A, B, C})


@pytest.mark.integration
class TestPostgresSeenBridges(SeenBridgesContract):
    @pytest_asyncio.fixture
    async def bench(self, world: EngineWorld) -> SeenBridges:
        accounts = PostgresAccounts(world.database, SecretBox(["a key for these tests of enough characters"]), world.notifications)
        for account_id in (A, B, C):
            await accounts.create(Account(account_id=account_id, till_id=TillId(account_id)))
        return PostgresSeenBridges(world.database)
