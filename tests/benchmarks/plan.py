"""Sizes of the measurements: the full plan, and the small one of ``QUICK=1``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Sizes by row. ``…_warm`` is the number of units before the clock starts."""

    name: str
    rounds: int
    lone_units: int
    load_seconds: float
    call_count: int
    call_warm: int
    flood_seconds: float
    lone_calls: int
    batch_calls: int
    drain_entries: int
    drain_warm: int
    deep_entries: int
    deep_accounts: int
    deep_slice: int
    deep_warm: int
    ordered_keys: int
    ordered_each: int
    ordered_ours: int
    ordered_peer: int
    latency_seconds: float
    latency_warm_seconds: float
    list_small: int
    list_large: int
    list_pages: int
    list_text_pages: int
    request_updates: int
    till_waiting: int
    catch_up_accounts: int
    bulk_waiting: int
    bulk_orders: int
    hung_accounts: tuple[int, ...]
    snapshot_per_second: int
    statement_units: int
    statement_idle_seconds: float
    memory_entries: int
    memory_seconds: float
    citus_customers: int
    citus_orders: int
    citus_calls: int


FULL = Plan(
    name="full",
    rounds=5,
    lone_units=60,
    load_seconds=15.0,
    call_count=12_000,
    call_warm=600,
    flood_seconds=10.0,
    lone_calls=400,
    batch_calls=80,
    drain_entries=50_000,
    drain_warm=2_000,
    deep_entries=1_000_000,
    deep_accounts=10_000,
    deep_slice=50_000,
    deep_warm=5_000,
    ordered_keys=5_000,
    ordered_each=10,
    ordered_ours=48_000,
    ordered_peer=1_000,
    latency_seconds=12.0,
    latency_warm_seconds=3.0,
    list_small=100_000,
    list_large=5_000_000,
    list_pages=200,
    list_text_pages=20,
    request_updates=3_000,
    till_waiting=1_000,
    catch_up_accounts=200,
    bulk_waiting=20_000,
    bulk_orders=5,
    hung_accounts=(60, 1_000),
    snapshot_per_second=200,
    statement_units=100,
    statement_idle_seconds=60.0,
    memory_entries=1_000_000,
    memory_seconds=20.0,
    citus_customers=2_000,
    citus_orders=300,
    citus_calls=100,
)

QUICK = Plan(
    name="quick",
    rounds=1,
    lone_units=30,
    load_seconds=5.0,
    call_count=8_000,
    call_warm=400,
    flood_seconds=6.0,
    lone_calls=200,
    batch_calls=40,
    drain_entries=20_000,
    drain_warm=2_000,
    deep_entries=200_000,
    deep_accounts=2_000,
    deep_slice=20_000,
    deep_warm=2_000,
    ordered_keys=5_000,
    ordered_each=10,
    ordered_ours=48_000,
    ordered_peer=300,
    latency_seconds=5.0,
    latency_warm_seconds=2.0,
    list_small=60_000,
    list_large=600_000,
    list_pages=100,
    list_text_pages=5,
    request_updates=3_000,
    till_waiting=1_000,
    catch_up_accounts=50,
    bulk_waiting=2_000,
    bulk_orders=3,
    hung_accounts=(60,),
    snapshot_per_second=50,
    statement_units=30,
    statement_idle_seconds=20.0,
    memory_entries=200_000,
    memory_seconds=6.0,
    citus_customers=1_000,
    citus_orders=150,
    citus_calls=50,
)
