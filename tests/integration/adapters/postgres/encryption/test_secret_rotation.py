"""A rotation of TILLSYNC_SECRET_KEY changes only the encrypted credentials. No other stored value depends on the key."""

from __future__ import annotations

from typing import Any

import pytest
from support.engine import EngineWorld
from support.links import HELD_DUPLICATE, complete_all, facts_of, put_order
from tillsync_server.adapters.postgres.accounts.account_store import PostgresAccounts
from tillsync_server.adapters.postgres.encryption.secret_box import SecretBox
from tillsync_server.adapters.postgres.tills.till_knowledge import PostgresTillKnowledge
from tillsync_server.adapters.postgres.tokens.token_store import PostgresTokens
from tillsync_server.domain.account import Account, EposSettings, ShopSettings
from tillsync_server.domain.enums import EntryState, Role
from tillsync_server.domain.ids import AccountId, TillId
from tillsync_server.domain.tokens import Token, new_token_secret, token_hash
from tillsync_server.ports.orders import NewOrder, OrderEnqueued

pytestmark = pytest.mark.integration
SHOP = AccountId("shop-a")
ACCOUNT = Account(
    account_id=SHOP,
    till_id=TillId("till-a"),
    epos=EposSettings(base_url="https://till.example.test", api_key="key", api_secret="secret"),
    shop=ShopSettings(base_url="https://shop.example.test", bridge_secret="bridge"),
)
OLD, NEW = "old-" * 10, "new-" * 10


async def stored_values(world: EngineWorld) -> dict[str, list[Any]]:
    """The values of every column of every table, by ``table.column``. Timestamps are left out."""
    columns = await world.fetch(
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' "
        "AND c.data_type NOT LIKE 'timestamp%' ORDER BY 1, 2"
    )
    return {
        f"{row['table_name']}.{row['column_name']}": [
            each["value"]
            for each in await world.fetch(f'SELECT "{row["column_name"]}"::text AS value FROM "{row["table_name"]}" ORDER BY 1')
        ]
        for row in columns
    }


async def test_rotation_changes_only_the_credentials(world: EngineWorld) -> None:
    def accounts(*keys: str) -> PostgresAccounts:
        return PostgresAccounts(world.database, SecretBox(keys), world.notifications)

    await accounts(OLD).create(ACCOUNT)
    tokens, knowledge = PostgresTokens(world.database, world.notifications), PostgresTillKnowledge(world.database)
    secret = new_token_secret()
    await tokens.create(Token(token_id="t1", role=Role.ADMIN, account_id=None, name="", create_time=await now(world)), token_hash(secret))
    facts = facts_of(1, woo_customer_id=12, email="Straße@example.test", account_email="Ada@example.test")
    await put_order(world, facts)
    await complete_all(world, HELD_DUPLICATE)
    configuration = (await accounts(OLD).get(SHOP)).till_configuration
    await knowledge.note_search_proven(ACCOUNT.till_id, configuration)
    await knowledge.note_kinds(ACCOUNT.till_id, configuration, {"+"}, proven=True)
    await world.fetch(
        "INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, content_hash) VALUES ($1, 7, 12, 1, 'h') RETURNING 1",
        SHOP,
    )
    before = await stored_values(world)

    assert await accounts(NEW, OLD).reencrypt() == 1
    after = await stored_values(world)
    assert {column for column in before if before[column] != after[column]} == {
        *("account.epos_api_key", "account.epos_api_secret", "account.shop_bridge_secret")
    }

    account = await accounts(NEW).get(SHOP)
    assert (account.epos, account.shop, account.till_configuration) == (ACCOUNT.epos, ACCOUNT.shop, configuration)
    assert (await knowledge.get(ACCOUNT.till_id, account.till_configuration)).search_proven_at is not None, "the key is the same"
    assert await tokens.by_hash(token_hash(secret)) is not None
    [order] = await world.orders.enqueue([NewOrder(account_id=SHOP, facts=facts)])
    assert isinstance(order, OrderEnqueued)
    assert not order.queued, "the hash of the order's facts is the same"
    [entry] = await world.fetch("SELECT state FROM entry")
    assert entry["state"] == EntryState.HELD


async def now(world: EngineWorld) -> Any:
    [row] = await world.fetch("SELECT now() AS at")
    return row["at"]
