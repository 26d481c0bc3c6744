"""Facts about shops that the adapter learnt from their answers. They are kept in memory only; a restart learns them again with one or two
requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tillsync_server.adapters.woo.rest_address import RestForm
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId

BRIDGE_MAX_BATCH = 500
"""Maximum items of one ``customers/batch`` request to the bridge (docs/bridge/wire.md#routes)."""


@dataclass(slots=True)
class SiteKnowledge:
    form: RestForm = RestForm.PRETTY
    """The address form that leads to the REST API."""
    tunnels_methods: bool = False
    """An intermediary refuses PUT and DELETE, and a POST with ``X-HTTP-Method-Override`` passes."""
    api: int | None = None
    """The newest version of the bridge's wire that both sides speak, from ``status``. None before the first ``status``."""
    max_batch: int = BRIDGE_MAX_BATCH
    """Maximum items of one batch, from ``status`` or learnt from a refusal."""
    batch_refused_until: float = 0.0
    """Monotonic time. Until then wc/v3 customers are written in single requests."""


@dataclass(slots=True)
class SiteKnowledgeCache:
    """Holds one :class:`SiteKnowledge` per account, and replaces it when address or credentials change."""

    _by_account: dict[AccountId, tuple[tuple[str, str, str], SiteKnowledge]] = field(default_factory=dict)

    def of(self, account: Account) -> SiteKnowledge:
        shop = account.shop
        settings = (shop.base_url, shop.consumer_key, shop.bridge_secret)
        known = self._by_account.get(account.account_id)
        if known is None or known[0] != settings:
            known = self._by_account[account.account_id] = (settings, SiteKnowledge())
        return known[1]
