"""Shops and sandbox tills on a real service. Tests create new persons and count each person's customers at the till.

The settings are the shortest that `serve` accepts for these timeouts, so a create settles within seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg
from support.waiting import until
from tillsync.v1 import account_pb2, customer_sync_service_pb2, order_pb2, queue_entry_pb2, vocabulary_pb2
from tillsync_client import TillsyncClient
from tillsync_sandbox import SandboxShop, SandboxTill, TillSwitches
from tillsync_sandbox.request_log import LoggedRequest
from tillsync_server.domain.emails import normalise_email

LEASE_SECONDS, TIMEOUT_SECONDS, SETTLE_SECONDS = 7.0, 2.0, 9.0
SHORT_TIMES = {
    "TILLSYNC_LEASE_SECONDS": f"{LEASE_SECONDS:g}",
    "TILLSYNC_TILL_TIMEOUT_SECONDS": f"{TIMEOUT_SECONDS:g}",
    "TILLSYNC_SHOP_TIMEOUT_SECONDS": f"{TIMEOUT_SECONDS:g}",
    "TILLSYNC_SETTLE_SECONDS": f"{SETTLE_SECONDS:g}",
}

PENDING, PROCESSED, HELD = (
    vocabulary_pb2.ENTRY_STATE_PENDING,
    vocabulary_pb2.ENTRY_STATE_PROCESSED,
    vocabulary_pb2.ENTRY_STATE_HELD,
)
CREATED, BY_EMAIL, BY_LINK, NOT_MATCHED = (
    vocabulary_pb2.OUTCOME_CUSTOMER_CREATED,
    vocabulary_pb2.OUTCOME_MATCHED_EMAIL,
    vocabulary_pb2.OUTCOME_MATCHED_LINK,
    vocabulary_pb2.OUTCOME_CUSTOMER_NOT_MATCHED,
)


class WatchedTill:
    """A sandbox till that records whether any two customers ever had the same email at the same time."""

    def __init__(self, switches: TillSwitches | None = None) -> None:
        self.sandbox = SandboxTill(switches)
        self.twins: dict[str, list[int]] = {}
        """Emails that several customers had at the same time, with the customer ids."""
        tell_webhooks = self.sandbox.store.listener

        def look(change: Any, thing: Any, by_api: bool) -> None:
            email = getattr(thing, "email_address", None)
            if email and len(holders := self.holders(email)) > 1:
                self.twins[normalise_email(email)] = holders
            if tell_webhooks is not None:
                tell_webhooks(change, thing, by_api)

        self.sandbox.store.listener = look

    def holders(self, email: str) -> list[int]:
        """Ids of the customers with this normalised email, read from the store instead of the till's search."""
        wanted = normalise_email(email)
        return [each.customer_id for each in self.sandbox.store if each.email_address and normalise_email(each.email_address) == wanted]

    def creates(self, email: str = "") -> list[LoggedRequest]:
        """The create requests with exactly this spelling of the email."""
        return self.sandbox.log.matching(method="POST", path="/api/*/customer*", contains=email or None)


@dataclass(frozen=True)
class Shop:
    """One account of the service."""

    account_id: str
    till: WatchedTill
    till_id: str
    site: SandboxShop
    client: TillsyncClient

    async def send(self, *orders: order_pb2.Order) -> None:
        """Sends all orders at once, without waiting for their answers."""
        wanted = [customer_sync_service_pb2.OrderToMatch(order=order) for order in orders]
        for result in await self.client.sync.match_orders(self.account_id, wanted):
            assert isinstance(result, customer_sync_service_pb2.MatchOrderCustomerResponse), result

    async def answers(self, order_ids: Iterable[int]) -> list[order_pb2.OrderMatch]:
        found = await self.client.sync.get_order_matches(self.account_id, list(order_ids))
        assert all(isinstance(each, order_pb2.OrderMatch) for each in found), found
        return found  # type: ignore[return-value]

    async def answer(self, order_id: int = 1) -> order_pb2.OrderMatch:
        [found] = await self.answers([order_id])
        return found

    async def until(self, what: Callable[[order_pb2.OrderMatch], bool], order_id: int = 1) -> order_pb2.OrderMatch:
        """Waits until the order's answer is ``what`` and returns it. Raises AssertionError with the last answer."""
        answer = order_pb2.OrderMatch()

        async def stands() -> bool:
            nonlocal answer
            answer = await self.answer(order_id)
            return what(answer)

        await until(stands, lambda: f"{self.account_id}, order {order_id}: {answer}")
        return answer

    async def processed(self, order_id: int = 1) -> order_pb2.OrderMatch:
        return await self.until(lambda answer: answer.state == PROCESSED, order_id)

    async def waits(self, note: str, order_id: int = 1) -> order_pb2.OrderMatch:
        """Waits until the order is PENDING, not matched, with a note that contains ``note``. Returns its answer."""

        def says(answer: order_pb2.OrderMatch) -> bool:
            return answer.outcome == NOT_MATCHED and any(note in each for each in answer.notes)

        answer = await self.until(says, order_id)
        assert (answer.state, answer.epos_customer_id) == (PENDING, 0), answer
        return answer

    async def problem(self) -> account_pb2.AccountProblem | None:
        account = await self.client.accounts.get_account(self.account_id)
        return account.problem if account.HasField("problem") else None

    async def attempts(self, order_id: int = 1) -> list[queue_entry_pb2.Attempt]:
        answer = await self.answer(order_id)
        return list((await self.client.queue.get_entry(self.account_id, answer.entry_id)).attempts)


def order(email: str, order_id: int = 1, *, woo_customer_id: int = 12, **fields: Any) -> order_pb2.Order:
    """An order of shop customer 12 (0: a guest) with this account email and billing email."""
    facts = order_pb2.Order(
        order_id=order_id,
        order_key=hashlib.sha256(f"order {order_id}".encode()).hexdigest(),
        woo_customer_id=woo_customer_id,
        account_email=email if woo_customer_id else "",
        billing_email=email,
        **{"first_name": "Nova", "last_name": "Newcomer", **fields},
    )
    facts.create_time.FromDatetime(datetime(2026, 3, 1, 9, 30, tzinfo=UTC))
    return facts


@dataclass
class CreateRaceEnvironment:
    """``client`` calls a service on the database of ``dsn``. Tills live as long as the environment."""

    client: TillsyncClient
    dsn: str
    stack: AsyncExitStack
    shops: list[Shop] = field(default_factory=list)
    tills: list[WatchedTill] = field(default_factory=list)

    async def till(self, *others: str, switches: TillSwitches | None = None) -> WatchedTill:
        """Starts a till that has customers with these other emails."""
        made = WatchedTill(switches)
        for email in others or ("somebody@example.test", "somebody.else@example.test"):
            made.sandbox.add_customer(email=email)
        await self.stack.enter_async_context(made.sandbox)
        self.tills.append(made)
        return made

    async def shop(
        self,
        account_id: str,
        till: WatchedTill | None = None,
        *,
        till_id: str = "",
        epos: account_pb2.EposSettings | None = None,
        **settings: Any,
    ) -> Shop:
        """Adds an account. Its site has the bridge and shop customers 10 to 149. ``till_id`` names a till shared with other accounts."""
        till, site = till or await self.till(), SandboxShop()
        for user_id in range(10, 150):
            site.add_customer(user_id)
        await self.stack.enter_async_context(site)
        given = till_settings(till.sandbox)
        if epos is not None:
            given.MergeFrom(epos)
        account = account_pb2.Account(
            epos=given,
            shop=account_pb2.ShopSettings(base_url=site.origin, bridge_secret=site.switches.bridge_secret),
            till_id=till_id,
            shared_till=bool(till_id),
            trusted_accounts=account_pb2.TRUSTED_ACCOUNTS_ALL,
        )
        account.MergeFrom(account_pb2.Account(**settings))
        await self.client.accounts.create_account(account_id, account)
        made = Shop(account_id, till, till_id or account_id, site, self.client)
        self.shops.append(made)
        return made

    def assert_never_a_twin(self) -> None:
        """Asserts that no till ever had two customers with one email."""
        assert {index: till.twins for index, till in enumerate(self.tills) if till.twins} == {}

    @asynccontextmanager
    async def database(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        connection = await asyncpg.connect(self.dsn, server_settings={"search_path": "tillsync"})
        try:
            yield connection
        finally:
            await connection.close()

    async def intent_settles_at(self, shop: Shop, email: str) -> float | None:
        """Unix time before which no other create of this email may start. None without an intent."""
        async with self.database() as connection:
            settled_at = await connection.fetchval(
                "SELECT settled_at FROM intent WHERE till_id = $1 AND email = $2", shop.till_id, normalise_email(email)
            )
        return None if settled_at is None else settled_at.timestamp()


def till_settings(till: SandboxTill, **settings: Any) -> account_pb2.EposSettings:
    """Settings of an account at this till, with an ample allowance of requests."""
    return account_pb2.EposSettings(
        **{
            "base_url": till.origin,
            "api_key": till.switches.api_key,
            "api_secret": till.switches.api_secret,
            "requests_per_minute": 100_000,
            **settings,
        }
    )


async def all_of(scenes: Mapping[str, Awaitable[None]]) -> None:
    """Runs the scenes concurrently, because their waits are long. Fails with all errors, by the scene's name."""
    names: Sequence[str] = list(scenes)
    results = await asyncio.gather(*scenes.values(), return_exceptions=True)
    wrong = {name: f"{type(each).__name__}: {each}" for name, each in zip(names, results, strict=True) if each is not None}
    assert not wrong, "\n".join(f"{name}: {text}" for name, text in wrong.items())
