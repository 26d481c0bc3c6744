"""A shop with the real service and a sandbox till, connected as a merchant connects it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from support.service import RunningService, running_service
from tillsync.v1 import account_pb2, customer_sync_service_pb2, token_pb2, vocabulary_pb2
from tillsync_sandbox import SandboxTill
from wordpress.harness.shop import Shop
from wordpress.harness.web import free_port

ACCOUNT = "shop-1"


@dataclass
class BridgedShop:
    site: Shop
    service: RunningService
    till: SandboxTill
    account_id: str
    connect_string: str
    default_customer: int
    """Id of the till customer for orders of guests."""

    async def connect(self) -> None:
        """Connects the shop, as the merchant's click does."""
        await self.site.php(
            "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\Connector::class )->connect( $string );",
            user="admin",
            string=self.connect_string,
        )

    async def secret(self) -> str:
        """Returns the bridge secret that the shop has stored."""
        store = "Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Connection\\ConnectionStore::class )"
        found: str = await self.site.php(f"return {store}->current()->bridge_secret;")
        return found

    async def drain(self, *, now: bool = True) -> None:
        """Runs one drain. With ``now`` all rows count as old enough to be sent; they wait 30 s otherwise, until the facts are final."""
        if now:
            await self.age_outbox()
        await self.site.php("Tillsync\\Bridge\\Plugin::services()->get( Tillsync\\Bridge\\Orders\\Drain::class )->run();")

    async def age_outbox(self, seconds: int = 3600) -> None:
        """Moves the due times of all outbox rows ``seconds`` into the past."""
        code = """
            global $wpdb;
            $table = $wpdb->prefix . 'tillsync_outbox';
            foreach ( $wpdb->get_results( "SHOW COLUMNS FROM $table", ARRAY_A ) as $column ) {
                $name = $column['Field'];
                if ( preg_match( '/due|next/', $name ) ) {
                    $by = preg_match( '/int/', $column['Type'] ) ? "$name - $seconds" : "DATE_SUB($name, INTERVAL $seconds SECOND)";
                    $wpdb->query( "UPDATE $table SET $name = $by WHERE $name IS NOT NULL" );
                }
            }
        """
        await self.site.php(code, seconds=seconds)

    async def entries(self, queue: vocabulary_pb2.Queue.ValueType = vocabulary_pb2.QUEUE_ORDERS) -> list[Any]:
        """Returns the service's entries, newest first."""
        request = customer_sync_service_pb2.ListQueueRequest(account_id=self.account_id, queue=queue)
        return list((await self.service.client.sync.list_queue_page(request)).entries)


@asynccontextmanager
async def bridged_shop(
    site: Shop, dsn: str, *, connect: bool = True, account: account_pb2.Account | None = None, changes: Mapping[str, str] | None = None
) -> AsyncIterator[BridgedShop]:
    """``account``: further settings; its till, default customer and sync switch are filled in. ``changes``: settings of the service."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    settings = {"TILLSYNC_HTTP_LISTEN": address, "TILLSYNC_PUBLIC_URL": f"http://{address}", **(changes or {})}
    async with AsyncExitStack() as stack:
        till = await stack.enter_async_context(SandboxTill())
        service = await stack.enter_async_context(running_service(dsn, changes=settings))
        default = till.add_customer(forename="Web", surname="Orders", email="")
        made = account_pb2.Account()
        made.CopyFrom(account or account_pb2.Account())
        if account is None:
            made.customer_sync_enabled = True
        # accounts are trusted, so the tests' users need no confirmation, unless a test sets another value
        made.trusted_accounts = made.trusted_accounts or account_pb2.TRUSTED_ACCOUNTS_ALL
        made.default_epos_customer_id = made.default_epos_customer_id or default
        made.epos.MergeFrom(
            account_pb2.EposSettings(base_url=till.origin, api_key=till.switches.api_key, api_secret=till.switches.api_secret)
        )
        await service.client.accounts.create_account(ACCOUNT, made)
        token = await service.client.accounts.create_token(token_pb2.TOKEN_ROLE_SITE, account_id=ACCOUNT, name="bridge")
        shop = BridgedShop(site, service, till, ACCOUNT, token.connect_string, default)
        if connect:
            await shop.connect()
        yield shop
