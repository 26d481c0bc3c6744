"""Bearer tokens as they are kept: by hash, listed per account, revoked for good, told to the other processes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from support.engine import EngineWorld
from support.waiting import within
from tillsync_server.adapters.postgres.tokens import PostgresTokens
from tillsync_server.domain.errors import NotFound
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Role
from tillsync_server.ports.accounts import Token

pytestmark = pytest.mark.integration
SHOP = AccountId("shop-a")
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def site(token_id: str, account_id: str = "shop-a") -> Token:
    return Token(token_id=token_id, role=Role.SITE, account_id=AccountId(account_id), name="the shop", create_time=AT)


def admin(token_id: str) -> Token:
    return Token(token_id=token_id, role=Role.ADMIN, account_id=None, name="", create_time=AT)


@pytest.fixture
async def tokens(world: EngineWorld) -> PostgresTokens:
    await world.add_accounts("shop-a", "shop-b")
    return PostgresTokens(world.database, world.notifications)


async def test_a_token_is_found_by_its_hash_only(tokens: PostgresTokens) -> None:
    assert await tokens.create(site("t1"), b"hash-1") == site("t1")
    assert await tokens.create(admin("t2"), b"hash-2") == admin("t2")
    assert await tokens.by_hash(b"hash-1") == site("t1")
    assert await tokens.by_hash(b"hash-2") == admin("t2")
    assert await tokens.by_hash(b"hash-3") is None


async def test_an_unknown_account_is_named(tokens: PostgresTokens) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await tokens.create(site("t1", "nowhere"), b"hash-1")


async def test_tokens_are_listed_by_id_each_account_by_itself(tokens: PostgresTokens) -> None:
    for number, token in enumerate((site("c"), site("a"), site("b"), site("d", "shop-b"), admin("e"), admin("f"))):
        await tokens.create(token, f"hash-{number}".encode())
    await tokens.revoke(SHOP, "b")
    assert [token.token_id for token in await tokens.list_tokens(SHOP, after="", limit=2)] == ["a", "b"]
    assert [token.token_id for token in await tokens.list_tokens(SHOP, after="b", limit=2)] == ["c"]
    assert [token.token_id for token in await tokens.list_tokens(None, after="", limit=1)] == ["e"]
    assert [token.token_id for token in await tokens.list_tokens(None, after="e", limit=9)] == ["f"]


async def test_revoking_is_for_good_idempotent_and_told(world: EngineWorld, tokens: PostgresTokens) -> None:
    await tokens.create(site("t1"), b"hash-1")
    heard = asyncio.Event()
    world.notifications.on_tokens_changed(heard.set)
    revoked = await tokens.revoke(SHOP, "t1")
    assert revoked.revoke_time is not None
    assert await tokens.revoke(SHOP, "t1") == revoked
    assert await tokens.by_hash(b"hash-1") == revoked
    await within(heard.wait())


async def test_a_token_is_revoked_only_through_its_own_account(tokens: PostgresTokens) -> None:
    await tokens.create(site("t1"), b"hash-1")
    await tokens.create(admin("t2"), b"hash-2")
    for account_id, token_id in ((AccountId("shop-b"), "t1"), (None, "t1"), (SHOP, "t2"), (SHOP, "t3")):
        with pytest.raises(NotFound, match=token_id):
            await tokens.revoke(account_id, token_id)
    assert (await tokens.revoke(None, "t2")).role is Role.ADMIN


async def test_use_is_noted(tokens: PostgresTokens) -> None:
    await tokens.create(site("t1"), b"hash-1")
    await tokens.create(site("t2"), b"hash-2")
    await tokens.note_used(["t1", "t1", "gone"])
    used, unused = await tokens.by_hash(b"hash-1"), await tokens.by_hash(b"hash-2")
    assert used is not None
    assert unused is not None
    assert used.last_used_time is not None
    assert unused.last_used_time is None
    await tokens.note_used([])
