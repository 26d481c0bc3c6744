"""Queue, link and account services on a real gRPC server and real stores, with sandboxes as till and shop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from support.engine import EngineWorld
from support.grpc_server import GrpcWorld, Refusal, grpc_world
from tillsync.v1 import account_pb2, account_service_pb2
from tillsync_sandbox import SandboxShop, SandboxTill
from tillsync_server.adapters.epos import EposAdapterSettings, EposGateway
from tillsync_server.adapters.grpc.servicers.account import AccountServicer
from tillsync_server.adapters.grpc.servicers.link import LinkServicer
from tillsync_server.adapters.grpc.servicers.privacy import PrivacyServicer
from tillsync_server.adapters.http_client import AllowedHosts, HttpClient, HttpClientSettings
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.accounts.account_warnings import PostgresAccountWarnings
from tillsync_server.adapters.postgres.encryption.page_token_sealer import PageTokenSealer
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.privacy.privacy_store import PostgresPrivacy
from tillsync_server.adapters.postgres.queues.queue_reader import PostgresQueueReader
from tillsync_server.adapters.postgres.tills.till_budget import PostgresTillBudget
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.adapters.postgres.tokens.token_store import PostgresTokens
from tillsync_server.adapters.woo import WooAdapterSettings, WooGateway
from tillsync_server.application.use_cases.account_check import AccountCheck
from tillsync_server.application.use_cases.account_settings import AccountSettings
from tillsync_server.application.use_cases.link_decisions import LinkDecisions
from tillsync_server.application.use_cases.person_resolution import PersonResolver
from tillsync_server.application.use_cases.privacy import Privacy
from tillsync_server.application.use_cases.shop_connection import ShopConnection
from tillsync_server.application.use_cases.shop_users import ShopUserReports
from tillsync_server.application.use_cases.site_settings import SiteSettings
from tillsync_server.application.use_cases.till_lookup import TillLookup
from tillsync_server.application.use_cases.token_service import TokenService
from tillsync_server.domain.enums import Role

PUBLIC_URL = "https://sync.example.test"


@dataclass
class ApiHarness:
    grpc: GrpcWorld
    till: SandboxTill
    shop: SandboxShop
    admin: Sequence[tuple[str, str]]

    async def call(self, method: str, request: Message, metadata: Sequence[tuple[str, str]] | None = None) -> Any:
        """Calls the method, as an admin by default."""
        return await self.grpc.call(method, request, self.admin if metadata is None else metadata)

    async def refusal(self, method: str, request: Message, metadata: Sequence[tuple[str, str]] | None = None) -> Refusal:
        return await self.grpc.refusal(method, request, self.admin if metadata is None else metadata)

    def account(self, **fields: Any) -> account_pb2.Account:
        """An account connected to both sandboxes. ``fields`` replace its settings."""
        account = account_pb2.Account(**fields)
        account.epos.MergeFrom(
            account_pb2.EposSettings(
                base_url=self.till.origin,
                api_key=self.till.switches.api_key,
                api_secret=self.till.switches.api_secret,
                requests_per_minute=60_000,
                webhook_key="hook",
                webhook_secret="word",
            )
        )
        account.shop.MergeFrom(account_pb2.ShopSettings(base_url=self.shop.origin, bridge_secret=self.shop.switches.bridge_secret))
        return account

    async def add_account(self, account_id: str = "shop-a", **fields: Any) -> account_pb2.Account:
        request = account_service_pb2.CreateAccountRequest(account_id=account_id, account=self.account(**fields))
        made: account_pb2.Account = (await self.call("AccountService/CreateAccount", request)).account
        return made


@asynccontextmanager
async def api_harness(engine: EngineWorld, *, shop_seconds: float | None = None, removal_seconds: float = 0.0) -> AsyncIterator[ApiHarness]:
    """``shop_seconds`` is the shop's answer timeout. ``removal_seconds`` is the time that an erasure waits for a worker
    to remove values from the shop. The harness has no worker."""
    database, notifier = engine.database, engine.notifications
    box = SecretBox(["a test key of at least thirty-two characters"])
    accounts = PostgresAccounts(database, box, notifier)
    http = HttpClient(HttpClientSettings(allowed_hosts=AllowedHosts(allow_loopback=True)))
    tills = EposGateway(http, PostgresTillBudget(database, share=1), EposAdapterSettings(read_attempts=1), sleep=_no_wait)
    shops = WooGateway(
        http, WooAdapterSettings() if shop_seconds is None else WooAdapterSettings(timeout_seconds=shop_seconds), sleep=_no_wait
    )
    links, reader = PostgresLinks(database), PostgresQueueReader(database)
    writer = PostgresLinkWriter(database, notifier)
    lookup, persons = TillLookup(accounts, tills, links), PostgresPrivacy(database, notifier)
    decisions = LinkDecisions(accounts, links, writer, reader, lookup)
    resolver = PersonResolver(persons, lookup, shops, shops)
    privacy = Privacy(persons, accounts, resolver, PageTokenSealer(box), removal_seconds=removal_seconds)
    settings = AccountSettings(accounts, PostgresAccountWarnings(database))
    check = AccountCheck(accounts, tills, shops, PostgresTillKnowledge(database), accounts, PostgresAccountWarnings(database))
    tokens = PostgresTokens(database, notifier)
    token_service = TokenService(tokens, accounts, public_url=PUBLIC_URL)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(http.close)
        till = await stack.enter_async_context(SandboxTill())
        shop = await stack.enter_async_context(SandboxShop())
        served = grpc_world(
            engine,
            link=LinkServicer(decisions, ShopUserReports(writer)),
            privacy=PrivacyServicer(privacy),
            account=AccountServicer(
                settings, SiteSettings(accounts, lookup), check, ShopConnection(accounts, shops, tokens), token_service
            ),
        )
        world = await stack.enter_async_context(served)
        yield ApiHarness(world, till, shop, await world.token(Role.ADMIN))


async def _no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)
