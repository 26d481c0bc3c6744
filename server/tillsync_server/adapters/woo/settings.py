"""How the shop's adapter behaves, the same for all accounts. What differs per account is in ``domain.account.ShopSettings``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WooAdapterSettings:
    timeout_seconds: float = 20.0
    """TILLSYNC_SHOP_TIMEOUT_SECONDS: total per request. A hundred customers through wc/v3 take 1.6 s on a quick host."""
    throttle_pause_seconds: float = 60.0
    """How long a 429 without Retry-After is taken to last."""
    read_attempts: int = 2
    """Most tries of one read inside the adapter, the first included. 1 turns retrying off. A write is never tried again here."""
    read_retry_first_wait_seconds: float = 0.2
    """Plus up to as much again by chance."""
    single_writes_at_once: int = 4
    """Single requests under way together where wc/v3 refuses batches: a small host has few PHP workers, and visitors need them too."""
    single_writes_per_call: int = 20
    """``max_batch`` while batches are refused: results come in sooner, and less is lost with a lease."""
    batch_refused_seconds: float = 6 * 3600.0
    """How long a refused wc/v3 batch is remembered: after that a key with more rights or a lifted limit shows."""
