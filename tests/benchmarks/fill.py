"""Fills queues by SQL with due entries, for the drains. Then updates PostgreSQL's statistics."""

from __future__ import annotations

import asyncpg
from benchmarks.bench import our_connection

_ACCOUNTS = """
WITH made AS (
  INSERT INTO account (account_id, till_id, epos_base_url, customer_sync_enabled, epos_requests_per_minute)
  SELECT 'shop-' || n, 'shop-' || n, 'https://till.example.test', $2, 100000 FROM generate_series(1, $1::integer) AS n
  RETURNING account_id)
INSERT INTO lane (account_id) SELECT account_id FROM made
"""
_TILLS = "INSERT INTO till (till_id, tokens) SELECT till_id, 1666 FROM account"
_CUSTOMERS = """
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, epos_customer_id, create_time, update_time)
SELECT 'shop-' || (n % $2::integer + 1), uuidv7(), 1, 1, n, 2, now(), n, now(), now() FROM generate_series(1, $1::integer) AS n
"""
_ORDERS = """
INSERT INTO entry (account_id, entry_id, queue, kind, subject_id, priority, due_at, order_number, subject_label, account_email,
  billing_email, woo_customer_id, facts, create_time, update_time)
SELECT 'shop-' || (key % $3::integer + 1), uuidv7(), 2, 3, (part - 1) * $1::integer + key, 1, now(), part::text, 'order ' || part,
  'c' || key || '@example.test', 'c' || key || '@example.test', key,
  jsonb_build_object('order_id', (part - 1) * $1::integer + key, 'order_key', repeat('0', 64), 'order_number', part::text,
    'create_time', '2026-01-02T03:04:05+00:00', 'woo_customer_id', key, 'account_email', 'c' || key || '@example.test',
    'billing_email', 'c' || key || '@example.test', 'first_name', 'Ada', 'last_name', 'Byron', 'company', '', 'phone', '',
    'unlinked_products', '[]'::jsonb), now(), now()
FROM generate_series(1, $2::integer) AS p(part) CROSS JOIN generate_series(1, $1::integer) AS k(key) ORDER BY p.part, k.key
"""
_WAKE = "UPDATE lane SET next_run_at = now(), next_live_at = CASE WHEN $1 THEN now() ELSE next_live_at END"


async def add_accounts(connection: asyncpg.Connection[asyncpg.Record], accounts: int, *, sync_enabled: bool = True) -> None:
    """Adds shop-1 to shop-N. Each has its own till with the highest allowance of the service (100,000 requests a minute)."""
    await connection.execute(_ACCOUNTS, accounts, sync_enabled)
    await connection.execute(_TILLS)


async def fill_customers(dsn: str, entries: int, accounts: int, *, sync_enabled: bool = True) -> None:
    """Adds BULK entries of the Customers Queue, spread evenly over the accounts."""
    connection = await our_connection(dsn)
    await add_accounts(connection, accounts, sync_enabled=sync_enabled)
    await connection.execute(_CUSTOMERS, entries, accounts)
    await connection.execute(_WAKE, False)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def fill_orders(dsn: str, keys: int, each: int, accounts: int) -> None:
    """Adds ``each`` orders of every shop customer in turns: the first of all, the second of all, and so on."""
    connection = await our_connection(dsn)
    await add_accounts(connection, accounts)
    await connection.execute(_ORDERS, keys, each, accounts)
    await connection.execute(_WAKE, True)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
