"""Webhooks of the till, received by the whole service. Entries are committed before the answer, and refused deliveries store nothing."""

from __future__ import annotations

import base64
import json

import pytest
from support.engine import engine_world
from support.postgres import TestDatabase
from support.service import RunningService, running_service

pytestmark = pytest.mark.integration


async def deliver(
    running: RunningService,
    body: object,
    *,
    account: str = "shop-1",
    pair: str = "hook:geheim",
    kind: str = "Customer",
    action: str = "Update",
) -> int:
    headers = {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
        "Content-Type": "application/json",
        "Epos-Object": kind,
        "Epos-Action": action,
    }
    url = f"{running.http_url}/webhooks/eposnow/{account}"
    async with running.http.post(url, data=json.dumps(body).encode(), headers=headers) as response:
        return response.status


async def test_delivery_enqueues_a_live_priority_entry(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running, engine_world(database.dsn) as world:
        await running.add_account(webhook_key="hook", webhook_secret="geheim")
        assert await deliver(running, {"CustomerID": 90001, "EmailAddress": "ada@example.test"}, action="Create") == 202
        assert await deliver(running, 90001, action="Delete") == 202
        assert await deliver(running, {"CustomerTypeID": 4001}, kind="CustomerType") == 202
        assert await deliver(running, {"ProductID": 1}, kind="Product") == 204
        rows = await world.fetch("SELECT kind, subject_id, priority, coalesced_count FROM entry ORDER BY kind")
        assert [tuple(row) for row in rows] == [(1, 90001, 1, 1), (2, 4001, 1, 0)]


async def test_refused_delivery_stores_nothing(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running, engine_world(database.dsn) as world:
        await running.add_account(webhook_key="hook", webhook_secret="geheim")
        await running.add_account("no-hooks")
        body = {"CustomerID": 90001}
        assert await deliver(running, body, pair="hook:falsch") == 401
        assert await deliver(running, body, account="no-hooks") == 401
        assert await deliver(running, body, account="no-hooks", pair=":") == 401
        assert await deliver(running, body, account="nobody") == 401
        assert await deliver(running, body, account="%00") == 401
        assert await deliver(running, {"CustomerID": -1}) == 400
        assert await world.fetch("SELECT 1 FROM entry") == []


async def test_new_webhook_credentials_apply_immediately(database: TestDatabase) -> None:
    async with running_service(database.dsn, works=False) as running:
        account = await running.add_account(webhook_key="hook", webhook_secret="geheim")
        assert await deliver(running, 5) == 202
        account.epos.webhook_secret = "anders"
        await running.client.accounts.update_account("shop-1", account, ["epos.webhook_secret"])
        assert await deliver(running, 5) == 401
        assert await deliver(running, 5, pair="hook:anders") == 202
