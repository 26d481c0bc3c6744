"""The typed client repeats a call whose answer was lost. The service then answers with the result of the first call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.grpc_server import an_order
from support.postgres import TestDatabase
from support.service import running_service
from support.waiting import until
from tillsync.v1 import account_pb2, token_pb2, vocabulary_pb2
from tillsync_client import FailedPreconditionError, TillsyncClient, UnauthenticatedError
from tillsync_sandbox import SandboxTill
from tillsync_server.application.use_cases.account_settings import AccountSettings
from tillsync_server.application.use_cases.link_decisions import LinkDecisions
from tillsync_server.application.use_cases.shop_connection import ShopConnection
from tillsync_server.domain.errors import Unavailable

Method = Callable[..., Awaitable[Any]]


class LostAnswers:
    """Replaces a method: the first call does its work and then raises UNAVAILABLE, as after a broken connection or an unanswered commit."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.done: list[Any] = []

    def lose_first_answer(self, kind: type, name: str) -> None:
        method: Method = getattr(kind, name)
        self.done.clear()

        async def losing(*arguments: Any, **named: Any) -> Any:
            self.done.append(await method(*arguments, **named))
            if len(self.done) == 1:
                raise Unavailable("the answer is lost")
            return self.done[-1]

        self._monkeypatch.setattr(kind, name, losing)


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> LostAnswers:
    return LostAnswers(monkeypatch)


async def test_repeated_create_returns_the_account_of_the_first_call(database: TestDatabase, lost: LostAnswers) -> None:
    async with running_service(database.dsn) as running:
        lost.lose_first_answer(AccountSettings, "create")
        made = await running.client.accounts.create_account("shop-a", account_pb2.Account(name="Shop A"))
        assert len(lost.done) == 2
        assert made == await running.client.accounts.get_account("shop-a")


async def test_repeated_disconnect_answers_as_the_first_call(database: TestDatabase, lost: LostAnswers) -> None:
    async with running_service(database.dsn) as running:
        await running.add_account("shop-a")
        token = await running.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id="shop-a")
        lost.lose_first_answer(ShopConnection, "disconnect")
        async with TillsyncClient(running.grpc_address, token.secret) as shop:
            assert (await shop.accounts.disconnect_shop("shop-a")).token_revoked
            assert lost.done == [True, True]
            with pytest.raises(UnauthenticatedError):
                await shop.accounts.check_account("shop-a")


async def test_repeated_resolve_returns_the_entry_of_the_first_call(database: TestDatabase, lost: LostAnswers) -> None:
    async with SandboxTill() as till, running_service(database.dsn) as running:
        chosen, other = (till.add_customer(email="ada@example.test") for _ in range(2))
        keys = {"api_key": till.switches.api_key, "api_secret": till.switches.api_secret}
        await running.add_account("shop-a", base_url=till.origin, **keys)
        order = an_order(woo_customer_id=12, account_email="ada@example.test", billing_email="ada@example.test")

        async def held_entry_id() -> str | None:
            answer = await running.client.sync.match_order("shop-a", order)
            return answer.entry.entry_id if answer.entry.state == vocabulary_pb2.ENTRY_STATE_HELD else None

        await until(held_entry_id)
        entry_id = await held_entry_id()
        assert entry_id is not None
        lost.lose_first_answer(LinkDecisions, "resolve_order")
        resolved = await running.client.links.resolve_order("shop-a", entry_id, chosen)
        assert (len(lost.done), resolved.entry.entry_id) == (2, entry_id)

        async def is_processed() -> bool:
            return (await running.client.queue.get_entry("shop-a", entry_id)).state == vocabulary_pb2.ENTRY_STATE_PROCESSED

        await until(is_processed)
        late = await running.client.links.resolve_order("shop-a", entry_id, chosen)
        assert (late.entry.state, late.entry.epos_customer_id) == (vocabulary_pb2.ENTRY_STATE_PROCESSED, chosen)
        with pytest.raises(FailedPreconditionError):
            await running.client.links.resolve_order("shop-a", entry_id, other)
