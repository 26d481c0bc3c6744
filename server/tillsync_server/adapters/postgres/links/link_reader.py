"""Reads links."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from tillsync_server.adapters.postgres.connections.pool import Database
from tillsync_server.adapters.postgres.statements import load
from tillsync_server.domain.enums import LinkGround
from tillsync_server.domain.ids import AccountId, EposCustomerId, WooCustomerId
from tillsync_server.domain.link import Link, LinkOrigin
from tillsync_server.ports.links import LinkFilter, StoredCustomer

_BY_EPOS = load("links/by_epos")
_OF_EITHER = load("links/of_either")
_LIST = load("links/list")
_IS_MARKED = load("links/is_marked")
_STORED_CUSTOMERS = load("links/stored_customers")


class PostgresLinks:
    """Implements :class:`tillsync_server.ports.links.LinkReader`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def by_epos(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, Link]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_BY_EPOS, account_id, list(ids))
        return {link.epos_customer_id: link for link in map(link_of_row, rows)}

    async def by_woo(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> Link | None:
        async with self._database.acquire() as connection:
            row = await connection.fetchrow(_OF_EITHER, account_id, None, woo_customer_id)
        return None if row is None else link_of_row(row)

    async def list_links(self, account_id: AccountId, wanted: LinkFilter, *, after: EposCustomerId | None, limit: int) -> list[Link]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(
                _LIST,
                account_id,
                wanted.epos_customer_id,
                wanted.woo_customer_id,
                wanted.broken_only,
                after or 0,
                limit,
                wanted.unconfirmed_only,
            )
        return [link_of_row(row) for row in rows]

    async def is_marked_do_not_auto_link(self, account_id: AccountId, woo_customer_id: WooCustomerId) -> bool:
        async with self._database.acquire() as connection:
            return bool(await connection.fetchval(_IS_MARKED, account_id, woo_customer_id))

    async def stored_customers(self, account_id: AccountId, ids: Sequence[EposCustomerId]) -> dict[EposCustomerId, StoredCustomer]:
        async with self._database.acquire() as connection:
            rows = await connection.fetch(_STORED_CUSTOMERS, account_id, list(ids))
        return {
            EposCustomerId(row["wanted_id"]): StoredCustomer(
                None if row["woo_customer_id"] is None else link_of_row(row),
                tuple(WooCustomerId(each) for each in row["removals"]),
                row["is_candidate"],
            )
            for row in rows
        }


def link_of_row(row: asyncpg.Record) -> Link:
    origin = LinkOrigin(row["origin"])
    return Link(
        account_id=AccountId(row["account_id"]),
        epos_customer_id=EposCustomerId(row["epos_customer_id"]),
        woo_customer_id=WooCustomerId(row["woo_customer_id"]),
        origin=origin,
        create_time=row["create_time"],
        content_hash=row["content_hash"],
        hash_lapses=row["hash_lapses"],
        as_of=row["as_of"],
        epos_gone_at=row["epos_gone_at"],
        woo_gone_at=row["woo_gone_at"],
        woo_registered_at=row["woo_registered_at"],
        epos_read_at=row["epos_read_at"],
        # A link made by hand before the service stored grounds has the ground BY_HAND too.
        ground=LinkGround.BY_HAND if origin is LinkOrigin.BY_HAND else LinkGround(row["ground"]),
    )
