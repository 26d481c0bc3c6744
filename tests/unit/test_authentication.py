"""Tokens: cached for less than five seconds, forgotten at once when told, one query for a crowd."""

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
class Desk:
    tokens: FakeTokens = field(default_factory=FakeTokens)
    wakeups: FakeWakeUps = field(default_factory=FakeWakeUps)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.authenticator = Authenticator(self.tokens, self.wakeups, clock=lambda: self.now)

    def add(self, secret: str, role: Role = Role.SERVICE, account: str | None = None) -> None:
        account_id = None if account is None else AccountId(account)
        self.tokens.add(Token(token_id=f"tok_{secret}", role=role, account_id=account_id, name="", create_time=START), token_hash(secret))

    def revoke(self, secret: str) -> None:
        """By another process, whose word has not come (yet)."""
        token = self.tokens.tokens[f"tok_{secret}"]
        self.tokens.tokens[token.token_id] = replace(token, revoke_time=START)


async def test_a_known_token_is_its_caller_and_is_asked_for_once() -> None:
    desk = Desk()
    desk.add("s3cret", Role.SITE, "shop-a")
    caller = await desk.authenticator.authenticate("Bearer s3cret")
    assert caller == Caller(Role.SITE, AccountId("shop-a"), "tok_s3cret")
    assert caller.may_touch("shop-a")
    assert not caller.may_touch("shop-b")
    assert desk.authenticator.cached("Bearer s3cret") == caller
    await desk.authenticator.authenticate("Bearer s3cret")
    assert desk.tokens.asked == 1
    await desk.authenticator.close()


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer   ", "Basic czNjcmV0", "s3cret"])
async def test_without_a_bearer_token_nobody_is_asked(header: str) -> None:
    desk = Desk()
    with pytest.raises(Unauthenticated) as refused:
        await desk.authenticator.authenticate(header)
    assert refused.value.reason == "TOKEN_MISSING"
    assert desk.tokens.asked == 0


async def test_the_scheme_is_read_whatever_its_case() -> None:
    desk = Desk()
    desk.add("s3cret")
    assert (await desk.authenticator.authenticate("bearer s3cret")).role is Role.SERVICE
    await desk.authenticator.close()


async def test_an_unknown_token_is_refused_and_costs_one_query() -> None:
    desk = Desk()
    for _ in range(3):
        with pytest.raises(Unauthenticated) as refused:
            await desk.authenticator.authenticate("Bearer wrong")
        assert refused.value.reason == "TOKEN_UNKNOWN"
    assert desk.tokens.asked == 1
    assert desk.authenticator.cached("Bearer wrong") is None


async def test_an_endless_token_is_not_looked_up() -> None:
    desk = Desk()
    with pytest.raises(Unauthenticated):
        await desk.authenticator.authenticate("Bearer " + "x" * 513)
    assert desk.tokens.asked == 0


async def test_a_revoked_token_is_refused_within_five_seconds_though_nobody_tells() -> None:
    desk = Desk()
    desk.add("s3cret")
    await desk.authenticator.authenticate("Bearer s3cret")
    desk.revoke("s3cret")
    assert CACHE_SECONDS < 5
    desk.now += CACHE_SECONDS
    assert desk.authenticator.cached("Bearer s3cret") is None
    with pytest.raises(Unauthenticated):
        await desk.authenticator.authenticate("Bearer s3cret")
    await desk.authenticator.close()


async def test_a_revoked_token_is_refused_at_once_when_told() -> None:
    desk = Desk()
    desk.add("s3cret")
    await desk.authenticator.authenticate("Bearer s3cret")
    desk.revoke("s3cret")
    desk.wakeups.tokens_changed()
    with pytest.raises(Unauthenticated):
        await desk.authenticator.authenticate("Bearer s3cret")
    await desk.authenticator.close()


async def test_what_was_read_before_a_change_is_not_kept_after_it() -> None:
    """The look-up is under way while the token is revoked and the change is told."""
    desk = Desk(tokens=FakeTokens(gate=asyncio.Event()))
    desk.add("s3cret")
    asking = asyncio.create_task(desk.authenticator.authenticate("Bearer s3cret"))
    await until(lambda: desk.tokens.asked)
    desk.revoke("s3cret")
    desk.wakeups.tokens_changed()
    assert desk.tokens.gate is not None
    desk.tokens.gate.set()
    await asking
    assert desk.authenticator.cached("Bearer s3cret") is None
    with pytest.raises(Unauthenticated):
        await desk.authenticator.authenticate("Bearer s3cret")
    await desk.authenticator.close()


async def test_a_crowd_shares_one_query_and_outlives_a_caller_that_leaves() -> None:
    desk = Desk(tokens=FakeTokens(gate=asyncio.Event()))
    desk.add("s3cret")
    crowd = [asyncio.create_task(desk.authenticator.authenticate("Bearer s3cret")) for _ in range(20)]
    await until(lambda: desk.tokens.asked)
    crowd[0].cancel()
    assert desk.tokens.gate is not None
    desk.tokens.gate.set()
    callers = await asyncio.gather(*crowd[1:])
    assert {caller.token_id for caller in callers} == {"tok_s3cret"}
    assert desk.tokens.asked == 1
    await desk.authenticator.close()


async def test_a_database_that_is_gone_is_said_so_and_asked_again() -> None:
    desk = Desk(tokens=FakeTokens(faults={"by_hashes": ConnectionRefusedError()}))
    desk.add("s3cret")
    with pytest.raises(ConnectionRefusedError):
        await desk.authenticator.authenticate("Bearer s3cret")
    desk.tokens.faults.clear()
    assert (await desk.authenticator.authenticate("Bearer s3cret")).token_id == "tok_s3cret"
    await desk.authenticator.close()


async def test_use_is_noted_at_most_once_a_minute() -> None:
    desk = Desk()
    desk.add("s3cret")
    for _ in range(30):
        await desk.authenticator.authenticate("Bearer s3cret")
        await asyncio.sleep(0)
        desk.now += 5
    assert desk.tokens.used == ["tok_s3cret"] * 3
    await desk.authenticator.close()


async def test_floods_of_unknown_tokens_do_not_grow_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authentication, "CACHE_SIZE", 10)
    desk = Desk()
    desk.add("s3cret")
    await desk.authenticator.authenticate("Bearer s3cret")
    for number in range(100):
        with pytest.raises(Unauthenticated):
            await desk.authenticator.authenticate(f"Bearer guess-{number}")
    assert desk.authenticator.cached("Bearer s3cret") is not None, "a flood of guesses pushes nobody out"
    assert len(desk.authenticator._known) <= 10
    await desk.authenticator.close()


async def test_a_flood_of_guesses_costs_the_others_a_query_or_two() -> None:
    desk = Desk(tokens=FakeTokens(gate=asyncio.Event()))
    desk.add("s3cret")
    flood = [asyncio.create_task(desk.authenticator.authenticate(f"Bearer guess-{number}")) for number in range(50)]
    for _ in range(200):
        await asyncio.sleep(0)
    assert desk.tokens.asked == 1
    known = asyncio.create_task(desk.authenticator.authenticate("Bearer s3cret"))
    assert desk.tokens.gate is not None
    desk.tokens.gate.set()
    assert (await known).token_id == "tok_s3cret"
    assert all(isinstance(error, Unauthenticated) for error in await asyncio.gather(*flood, return_exceptions=True))
    assert desk.tokens.asked == 2
    await desk.authenticator.close()


async def test_a_revoked_site_token_is_known_to_who_asks_for_it_and_to_nobody_else() -> None:
    desk = Desk()
    for secret, role, account in (("left", Role.SITE, "shop-a"), ("gone", Role.SERVICE, None)):
        desk.add(secret, role, account)
        desk.revoke(secret)
    caller = await desk.authenticator.authenticate("Bearer left", revoked_too=True)
    assert caller == Caller(Role.SITE, AccountId("shop-a"), "tok_left", is_revoked=True)
    assert desk.authenticator.cached("Bearer left") is None
    for header, revoked_too in (("Bearer left", False), ("Bearer gone", True), ("Bearer never", True)):
        with pytest.raises(Unauthenticated) as refused:
            await desk.authenticator.authenticate(header, revoked_too=revoked_too)
        assert refused.value.reason == "TOKEN_UNKNOWN"
    await desk.authenticator.close()
