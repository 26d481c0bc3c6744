from __future__ import annotations

import base64
import hashlib
import json

import pytest
from fakes.accounts import FakeAccounts
from fakes.queues import SHOP
from fakes.tokens import FakeTokens
from tillsync_server.application.use_cases.token_service import TokenService
from tillsync_server.domain.account import Account
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import InvalidArgument, NotFound
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.domain.tokens import token_hash


def token_service(public_url: str = "https://sync.example.test") -> tuple[TokenService, FakeTokens]:
    accounts = FakeAccounts()
    tokens = FakeTokens(accounts)
    accounts.add(Account(account_id=SHOP, till_id=TillId("till-a")))
    return TokenService(tokens, accounts, public_url=public_url), tokens


async def test_secret_has_256_random_bits_and_only_its_hash_is_stored() -> None:
    tokens, store = token_service()
    first, second = [await tokens.create(Role.SERVICE, None, "orders") for _ in range(2)]
    assert first.secret.startswith("tls_")
    assert len(base64.urlsafe_b64decode(first.secret.removeprefix("tls_") + "=")) == 32
    assert first.secret != second.secret
    assert token_hash(first.secret) == hashlib.sha256(first.secret.encode()).digest()
    assert await store.by_hash(token_hash(first.secret)) == first.token
    assert first.secret not in repr(first)
    assert first.secret not in repr(store)
    assert first.connect_string == ""


async def test_site_token_has_a_connect_string_if_the_public_url_is_set() -> None:
    made = await token_service()[0].create(Role.SITE, SHOP, "")
    prefix, _, content = made.connect_string.partition(".")
    assert prefix == "tillsync1"
    assert "=" not in content
    decoded = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    assert decoded == {"url": "https://sync.example.test", "account_id": SHOP, "token": made.secret}
    assert (await token_service(public_url="")[0].create(Role.SITE, SHOP, "")).connect_string == ""


async def test_only_site_tokens_have_an_account() -> None:
    with pytest.raises(InvalidArgument, match="account_id"):
        await token_service()[0].create(Role.SITE, None, "")
    with pytest.raises(InvalidArgument, match="account_id"):
        await token_service()[0].create(Role.ADMIN, SHOP, "")
    with pytest.raises(InvalidArgument, match="name"):
        await token_service()[0].create(Role.ADMIN, None, "x" * 101)


async def test_tokens_are_listed_in_pages_including_revoked_ones() -> None:
    tokens, _ = token_service()
    made = [(await tokens.create(Role.SITE, SHOP, str(number))).token.token_id for number in range(3)]
    revoked = await tokens.revoke(SHOP, made[0])
    assert revoked.revoke_time is not None
    assert await tokens.revoke(SHOP, made[0]) == revoked
    first = await tokens.list_tokens(SHOP, 2, "")
    second = await tokens.list_tokens(SHOP, 2, first.next_page_token)
    assert [token.token_id for token in (*first.tokens, *second.tokens)] == sorted(made)
    assert first.tokens[0].revoke_time == revoked.revoke_time
    with pytest.raises(InvalidArgument, match="page_token"):
        await tokens.list_tokens(None, 2, first.next_page_token)
    with pytest.raises(NotFound):
        await tokens.list_tokens(AccountId("nobody"), 0, "")
    with pytest.raises(NotFound):
        await tokens.revoke(None, made[1])
    with pytest.raises(InvalidArgument, match="token_id"):
        await tokens.revoke(None, "")
