"""Tokens are cached for less than five seconds, dropped at once on notification, and read once for concurrent callers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest
from fakes.clock import START
from fakes.tokens import FakeTokens
from fakes.wakeups import FakeWakeUps
from support.waiting import until
from tillsync_server.application.use_cases import authentication
from tillsync_server.application.use_cases.authentication import CACHE_SECONDS, Authenticator
from tillsync_server.domain.enums import Role
from tillsync_server.domain.errors import Unauthenticated
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Caller, Token, token_hash


@dataclass
class Harness:
    tokens: FakeTokens = field(default_factory=FakeTokens)
    wakeups: FakeWakeUps = field(default_factory=FakeWakeUps)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(self.tokens, self.wakeups, clock=lambda: self.now)

    def add(self, secret: str, role: Role = Role.SERVICE, account: str | None = None) -> None:
        account_id = None if account is None else AccountId(account)
        self.tokens.add(Token(token_id=f"tok_{secret}", role=role, account_id=account_id, name="", create_time=START), token_hash(secret))

    def revoke(self, secret: str) -> None:
        """Another process revokes the token, and its notification has not arrived (yet)."""
        token = self.tokens.tokens[f"tok_{secret}"]
        self.tokens.tokens[token.token_id] = replace(token, revoke_time=START)


async def test_known_token_gives_its_caller_and_is_read_once() -> None:
    harness = Harness()
    harness.add("s3cret", Role.SITE, "shop-a")
    caller = await harness.authenticator.authenticate("Bearer s3cret")
    assert caller == Caller(Role.SITE, AccountId("shop-a"), "tok_s3cret")
    assert caller.may_touch("shop-a")
    assert not caller.may_touch("shop-b")
    assert harness.authenticator.cached("Bearer s3cret") == caller
    await harness.authenticator.authenticate("Bearer s3cret")
    assert harness.tokens.lookups == 1
    await harness.authenticator.close()


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer   ", "Basic czNjcmV0", "s3cret"])
async def test_header_without_bearer_token_is_refused_without_a_query(header: str) -> None:
    harness = Harness()
    with pytest.raises(Unauthenticated) as refused:
        await harness.authenticator.authenticate(header)
    assert refused.value.reason == "TOKEN_MISSING"
    assert harness.tokens.lookups == 0


async def test_bearer_scheme_is_case_insensitive() -> None:
    harness = Harness()
    harness.add("s3cret")
    assert (await harness.authenticator.authenticate("bearer s3cret")).role is Role.SERVICE
    await harness.authenticator.close()


async def test_an_unknown_token_is_refused_and_costs_one_query() -> None:
    harness = Harness()
    for _ in range(3):
        with pytest.raises(Unauthenticated) as refused:
            await harness.authenticator.authenticate("Bearer wrong")
        assert refused.value.reason == "TOKEN_UNKNOWN"
    assert harness.tokens.lookups == 1
    assert harness.authenticator.cached("Bearer wrong") is None


async def test_overlong_token_is_refused_without_a_query() -> None:
    harness = Harness()
    with pytest.raises(Unauthenticated):
        await harness.authenticator.authenticate("Bearer " + "x" * 513)
    assert harness.tokens.lookups == 0


async def test_revoked_token_is_refused_within_five_seconds_without_notification() -> None:
    harness = Harness()
    harness.add("s3cret")
    await harness.authenticator.authenticate("Bearer s3cret")
    harness.revoke("s3cret")
    assert CACHE_SECONDS < 5
    harness.now += CACHE_SECONDS
    assert harness.authenticator.cached("Bearer s3cret") is None
    with pytest.raises(Unauthenticated):
        await harness.authenticator.authenticate("Bearer s3cret")
    await harness.authenticator.close()


async def test_revoked_token_is_refused_at_once_after_notification() -> None:
    harness = Harness()
    harness.add("s3cret")
    await harness.authenticator.authenticate("Bearer s3cret")
    harness.revoke("s3cret")
    harness.wakeups.tokens_changed()
    with pytest.raises(Unauthenticated):
        await harness.authenticator.authenticate("Bearer s3cret")
    await harness.authenticator.close()


async def test_token_read_before_its_revocation_is_not_cached_after_it() -> None:
    """The token is revoked and the notification arrives while the query is under way."""
    harness = Harness(tokens=FakeTokens(gate=asyncio.Event()))
    harness.add("s3cret")
    asking = asyncio.create_task(harness.authenticator.authenticate("Bearer s3cret"))
    await until(lambda: harness.tokens.lookups)
    harness.revoke("s3cret")
    harness.wakeups.tokens_changed()
    assert harness.tokens.gate is not None
    harness.tokens.gate.set()
    await asking
    assert harness.authenticator.cached("Bearer s3cret") is None
    with pytest.raises(Unauthenticated):
        await harness.authenticator.authenticate("Bearer s3cret")
    await harness.authenticator.close()


async def test_concurrent_callers_share_one_query_that_survives_a_cancelled_caller() -> None:
    harness = Harness(tokens=FakeTokens(gate=asyncio.Event()))
    harness.add("s3cret")
    crowd = [asyncio.create_task(harness.authenticator.authenticate("Bearer s3cret")) for _ in range(20)]
    await until(lambda: harness.tokens.lookups)
    crowd[0].cancel()
    assert harness.tokens.gate is not None
    harness.tokens.gate.set()
    callers = await asyncio.gather(*crowd[1:])
    assert {caller.token_id for caller in callers} == {"tok_s3cret"}
    assert harness.tokens.lookups == 1
    await harness.authenticator.close()


async def test_database_error_is_raised_and_not_cached() -> None:
    harness = Harness(tokens=FakeTokens(faults={"by_hashes": ConnectionRefusedError()}))
    harness.add("s3cret")
    with pytest.raises(ConnectionRefusedError):
        await harness.authenticator.authenticate("Bearer s3cret")
    harness.tokens.faults.clear()
    assert (await harness.authenticator.authenticate("Bearer s3cret")).token_id == "tok_s3cret"
    await harness.authenticator.close()


async def test_token_use_is_recorded_at_most_once_a_minute() -> None:
    harness = Harness()
    harness.add("s3cret")
    for _ in range(30):
        await harness.authenticator.authenticate("Bearer s3cret")
        await asyncio.sleep(0)
        harness.now += 5
    assert harness.tokens.used == ["tok_s3cret"] * 3
    await harness.authenticator.close()


async def test_floods_of_unknown_tokens_do_not_grow_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "CACHE_SIZE", 10)
    harness = Harness()
    harness.add("s3cret")
    await harness.authenticator.authenticate("Bearer s3cret")
    for number in range(100):
        with pytest.raises(Unauthenticated):
            await harness.authenticator.authenticate(f"Bearer guess-{number}")
    assert harness.authenticator.cached("Bearer s3cret") is not None, "guesses evict no known token"
    assert len(harness.authenticator._cache) <= 10
    await harness.authenticator.close()


async def test_flood_of_guesses_delays_known_tokens_by_a_query_or_two() -> None:
    harness = Harness(tokens=FakeTokens(gate=asyncio.Event()))
    harness.add("s3cret")
    flood = [asyncio.create_task(harness.authenticator.authenticate(f"Bearer guess-{number}")) for number in range(50)]
    for _ in range(200):
        await asyncio.sleep(0)
    assert harness.tokens.lookups == 1
    known = asyncio.create_task(harness.authenticator.authenticate("Bearer s3cret"))
    assert harness.tokens.gate is not None
    harness.tokens.gate.set()
    assert (await known).token_id == "tok_s3cret"
    assert all(isinstance(error, Unauthenticated) for error in await asyncio.gather(*flood, return_exceptions=True))
    assert harness.tokens.lookups == 2
    await harness.authenticator.close()


async def test_revoked_site_token_is_accepted_only_where_allow_revoked_is_set() -> None:
    harness = Harness()
    for secret, role, account in (("left", Role.SITE, "shop-a"), ("gone", Role.SERVICE, None)):
        harness.add(secret, role, account)
        harness.revoke(secret)
    caller = await harness.authenticator.authenticate("Bearer left", allow_revoked=True)
    assert caller == Caller(Role.SITE, AccountId("shop-a"), "tok_left", is_revoked=True)
    assert harness.authenticator.cached("Bearer left") is None
    for header, allow_revoked in (("Bearer left", False), ("Bearer gone", True), ("Bearer never", True)):
        with pytest.raises(Unauthenticated) as refused:
            await harness.authenticator.authenticate(header, allow_revoked=allow_revoked)
        assert refused.value.reason == "TOKEN_UNKNOWN"
    await harness.authenticator.close()
