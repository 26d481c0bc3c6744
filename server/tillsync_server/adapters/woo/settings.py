"""Settings of the shop adapter for all accounts. ``domain.account.ShopSettings`` has the settings of one account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WooAdapterSettings:
    timeout_seconds: float = 20.0
    """TILLSYNC_SHOP_TIMEOUT_SECONDS: total time of one request. A wc/v3 batch of 100 customers takes 1.6 s on a fast host."""
    throttle_pause_seconds: float = 60.0
    """Pause after a 429 without Retry-After."""
    read_attempts: int = 2
    """Maximum attempts of one read inside the adapter, including the first. 1 turns retries off. The adapter never retries a write."""
    read_retry_first_wait_seconds: float = 0.2
    """Wait before the first retry; a random part of up to this value is added."""
    single_writes_at_once: int = 4
    """Concurrent single requests when wc/v3 refuses batches. A small host has few PHP workers, and visitors need them too."""
    single_writes_per_call: int = 20
    """``max_batch`` while batches are refused. With few writes per call, results arrive sooner, and a lost lease loses fewer of them."""
    batch_refused_seconds: float = 6 * 3600.0
    """Time without batches after wc/v3 refused one. The next batch then notices a key with more rights or a higher limit."""
