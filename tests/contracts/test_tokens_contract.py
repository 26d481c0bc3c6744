"""Stored bearer tokens: found by hash, listed per account, revoked for good, with a notification to other processes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from fakes.accounts import FakeAccounts
from fakes.tokens import FakeTokens
from fakes.wakeups import FakeWakeUps
from support.engine import EngineWorld
from support.waiting import within
from tillsync_server.adapters.postgres.tokens.token_store import PostgresTokens
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.domain.tokens import Token
from tillsync_server.ports.accounts import TokenStore
from tillsync_server.ports.wakeups import WakeUps

SHOP = AccountId("shop-a")
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def site(token_id: str, account_id: str = "shop-a") -> Token:
    return Token(token_id=token_id, role=Role.SITE, account_id=AccountId(account_id), name="the shop", create_time=AT)


def admin(token_id: str) -> Token:
    return Token(token_id=token_id, role=Role.ADMIN, account_id=None, name="", create_time=AT)


class TokenStoreContract:
    async def test_token_is_found_by_its_hash_only(self, tokens: TokenStore) -> None:
        assert await tokens.create(site("t1"), b"hash-1") == site("t1")
        assert await tokens.create(admin("t2"), b"hash-2") == admin("t2")
        assert await tokens.by_hash(b"hash-1") == site("t1")
        assert await tokens.by_hash(b"hash-2") == admin("t2")
        assert await tokens.by_hash(b"hash-3") is None

    async def test_concurrent_creates_of_one_token_store_one(self, tokens: TokenStore) -> None:
        """Two processes start with the same TILLSYNC_ADMIN_TOKEN on an empty database."""
        async with asyncio.TaskGroup() as group:
            made = [group.create_task(tokens.create(admin(f"t{number}"), b"hash-1")) for number in range(4)]
        assert {token.result() for token in made} == {await tokens.by_hash(b"hash-1")}
        assert len(await tokens.list_tokens(None, after="", limit=9)) == 1

    async def test_token_of_an_unknown_account_raises_not_found(self, tokens: TokenStore) -> None:
        with pytest.raises(NotFound, match="nowhere"):
            await tokens.create(site("t1", "nowhere"), b"hash-1")

    async def test_tokens_are_listed_by_id_per_account(self, tokens: TokenStore) -> None:
        for number, token in enumerate((site("c"), site("a"), site("b"), site("d", "shop-b"), admin("e"), admin("f"))):
            await tokens.create(token, f"hash-{number}".encode())
        await tokens.revoke(SHOP, "b")
        assert [token.token_id for token in await tokens.list_tokens(SHOP, after="", limit=2)] == ["a", "b"]
        assert [token.token_id for token in await tokens.list_tokens(SHOP, after="b", limit=2)] == ["c"]
        assert [token.token_id for token in await tokens.list_tokens(None, after="", limit=1)] == ["e"]
        assert [token.token_id for token in await tokens.list_tokens(None, after="e", limit=9)] == ["f"]

    async def test_revoke_is_final_idempotent_and_notified(self, tokens: TokenStore, wakeups: WakeUps) -> None:
        await tokens.create(site("t1"), b"hash-1")
        notified = asyncio.Event()
        wakeups.on_tokens_changed(notified.set)
        revoked = await tokens.revoke(SHOP, "t1")
        assert revoked.revoke_time is not None
        assert await tokens.revoke(SHOP, "t1") == revoked
        assert await tokens.by_hash(b"hash-1") == revoked
        await within(notified.wait())

    async def test_token_is_revoked_only_through_its_own_account(self, tokens: TokenStore) -> None:
        await tokens.create(site("t1"), b"hash-1")
        await tokens.create(admin("t2"), b"hash-2")
        for account_id, token_id in ((AccountId("shop-b"), "t1"), (None, "t1"), (SHOP, "t2"), (SHOP, "t3")):
            with pytest.raises(NotFound, match=token_id):
                await tokens.revoke(account_id, token_id)
        assert (await tokens.revoke(None, "t2")).role is Role.ADMIN

    async def test_token_use_is_recorded(self, tokens: TokenStore) -> None:
        await tokens.create(site("t1"), b"hash-1")
        await tokens.create(site("t2"), b"hash-2")
        await tokens.note_used(["t1", "t1", "gone"])
        used, unused = await tokens.by_hash(b"hash-1"), await tokens.by_hash(b"hash-2")
        assert used is not None
        assert unused is not None
        assert used.last_used_time is not None
        assert unused.last_used_time is None
        await tokens.note_used([])


class TestFakeTokens(TokenStoreContract):
    @pytest.fixture
    def wakeups(self) -> FakeWakeUps:
        return FakeWakeUps()

    @pytest.fixture
    def tokens(self, wakeups: FakeWakeUps) -> TokenStore:
        accounts = FakeAccounts()
        for name in ("shop-a", "shop-b"):
            accounts.add(Account(account_id=AccountId(name), till_id=TillId(name)))
        return FakeTokens(accounts, wakeups)


@pytest.mark.every_version
@pytest.mark.integration
class TestPostgresTokens(TokenStoreContract):
    @pytest.fixture
    def wakeups(self, world: EngineWorld) -> WakeUps:
        return world.notifications

    @pytest.fixture
    async def tokens(self, world: EngineWorld) -> TokenStore:
        await world.add_accounts("shop-a", "shop-b")
        return PostgresTokens(world.database, world.notifications)
