"""The link bench on the PostgreSQL adapters."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.link_bench import AN_HOUR, OTHER, Refresh
from fakes.queues import SHOP
from support.engine import EngineWorld
from support.links import (
    claim,
    completion,
    config_version,
    entry_row,
    facts_of,
    lease_of,
    put_order,
    states,
)
from tillsync_server.adapters.postgres.links.link_reader import PostgresLinks
from tillsync_server.adapters.postgres.links.link_writer import PostgresLinkWriter
from tillsync_server.adapters.postgres.links.order_linker import PostgresOrderLinker
from tillsync_server.adapters.postgres.links.shop_state import PostgresShopState
from tillsync_server.domain.enums import EntryKind, EntryState
from tillsync_server.domain.ids import AccountId, EntryId
from tillsync_server.domain.link import LinkOrigin
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry, LaneLease


@dataclass
class OnPostgres:
    world: EngineWorld
    _leases: list[LaneLease] = field(default_factory=list)

    @property
    def reader(self) -> PostgresLinks:
        return PostgresLinks(self.world.database)

    @property
    def linker(self) -> PostgresOrderLinker:
        return PostgresOrderLinker(self.world.database, self.world.notifications)

    @property
    def writer(self) -> PostgresLinkWriter:
        return PostgresLinkWriter(self.world.database, self.world.notifications)

    @property
    def shop(self) -> PostgresShopState:
        return PostgresShopState(self.world.database)

    async def put_link(self, epos: int, woo: int, *, account_id: AccountId = SHOP, epos_gone: bool = False, woo_gone: bool = False) -> None:
        await self.world.fetch("DELETE FROM link WHERE account_id = $1 AND epos_customer_id = $2 RETURNING 1", account_id, epos)
        await self.world.fetch(
            "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, epos_gone_at, woo_gone_at) "
            "VALUES ($1, $2, $3, $4, CASE WHEN $5 THEN now() END, CASE WHEN $6 THEN now() END) RETURNING 1",
            account_id,
            epos,
            woo,
            int(LinkOrigin.BY_HAND),
            epos_gone,
            woo_gone,
        )

    async def break_link(self, epos: int) -> None:
        await self.world.fetch("UPDATE link SET epos_gone_at = now() WHERE epos_customer_id = $1 RETURNING 1", epos)

    async def renew_link(self, epos: int) -> None:
        await self.world.fetch(
            "UPDATE link SET epos_gone_at = NULL, create_time = create_time + $2 WHERE epos_customer_id = $1 RETURNING 1", epos, AN_HOUR
        )

    async def mark(self, woo: int) -> None:
        await self.world.fetch("INSERT INTO link_mark (account_id, woo_customer_id) VALUES ($1, $2) RETURNING 1", SHOP, woo)

    async def want_removal(self, epos: int, woo: int) -> None:
        await self.world.fetch(
            "INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id) VALUES ($1, $2, $3) RETURNING 1", SHOP, woo, epos
        )

    async def set_default_customer(self, epos: int) -> None:
        await self.world.fetch("UPDATE account SET default_epos_customer_id = $2 WHERE account_id = $1 RETURNING 1", SHOP, epos)

    async def config_version(self) -> int:
        return await config_version(self.world)

    async def change_settings(self) -> None:
        await self.world.fetch("UPDATE lane SET config_version = config_version + 1 WHERE account_id = $1 RETURNING 1", SHOP)
        await self.world.fetch("UPDATE account SET update_time = clock_timestamp() WHERE account_id = $1 RETURNING 1", SHOP)

    async def settings_time(self) -> datetime:
        [row] = await self.world.fetch("SELECT update_time FROM account WHERE account_id = $1", SHOP)
        at: datetime = row["update_time"]
        return at

    async def database_now(self) -> datetime:
        [row] = await self.world.fetch("SELECT clock_timestamp() AS at")
        at: datetime = row["at"]
        return at.astimezone(UTC)

    async def lease(self) -> LaneLease:
        if not self._leases:
            await self.world.hint(SHOP, 1)  # a lane without work is not leased
            self._leases.append(await lease_of(self.world))
        return self._leases[-1]

    async def take_over(self) -> LaneLease:
        await self.lease()
        await self.world.fetch("UPDATE lane SET lease_expires_at = now() - interval '1 second' WHERE account_id = $1 RETURNING 1", SHOP)
        self._leases.append(await lease_of(self.world, owner="two"))
        return self._leases[-1]

    async def order(self, order_id: int, *, woo: int | None = 12, email: str = "ada@example.test", epos: int | None = None) -> EntryId:
        entry_id = await put_order(self.world, facts_of(order_id, woo_customer_id=woo, email=email))
        await self.world.fetch("UPDATE entry SET epos_customer_id = $2 WHERE entry_id = $1 RETURNING 1", entry_id, epos)
        return entry_id

    async def ended(self, order_id: int, verdict: Verdict, *, woo: int | None = 12, email: str = "ada@example.test") -> EntryId:
        entry_id = await self.order(order_id, woo=woo, email=email)
        [written] = await self.world.lanes.complete([completion(await self.lease(), await self.claim(order_id), verdict)])
        assert written
        return entry_id

    async def claim(self, order_id: int) -> ClaimedEntry:
        claimed = await claim(self.world, await self.lease())
        [entry] = [each for each in claimed if (each.kind, each.subject_id) == (EntryKind.ORDER_CUSTOMER, order_id)]
        return entry

    async def new_facts(self, order_id: int, *, woo: int | None = 12) -> None:
        await put_order(self.world, facts_of(order_id, woo_customer_id=woo, email="other@example.test"))

    async def dismiss(self, entry_id: EntryId) -> None:
        await self.world.fetch("DELETE FROM entry WHERE entry_id = $1 RETURNING 1", entry_id)

    async def states(self, entry_ids: list[EntryId]) -> list[EntryState]:
        return await states(self.world, entry_ids)

    async def revision(self, entry_id: EntryId) -> int:
        return int(str((await entry_row(self.world, entry_id))["entry_revision"]))

    async def chosen(self, entry_id: EntryId) -> int | None:
        chosen = (await entry_row(self.world, entry_id))["chosen_epos_customer_id"]
        return None if chosen is None else int(str(chosen))

    async def retried_from(self, entry_id: EntryId) -> EntryId | None:
        [row] = await self.world.fetch("SELECT retried_from FROM entry WHERE entry_id = $1", entry_id)
        return None if row["retried_from"] is None else EntryId(row["retried_from"])

    async def refresh(self, epos: int) -> Refresh | None:
        row = await self.world.live(SHOP, epos)
        if row is None:
            return None
        assert (row["priority"], row["kind"], (await entry_row(self.world, row["entry_id"]))["due"]) == (1, 1, True)
        return Refresh(EntryId(row["entry_id"]), row["entry_revision"], row["state"] == 1)

    async def is_queued(self, epos: int) -> bool:
        return await self.world.live(SHOP, epos) is not None

    async def hint(self, epos: int) -> EntryId:
        return (await self.world.hint(SHOP, epos)).entry_id


async def on_postgres(world: EngineWorld) -> OnPostgres:
    await world.add_accounts(SHOP, OTHER)
    return OnPostgres(world)
