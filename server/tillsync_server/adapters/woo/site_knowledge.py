"""What was learnt about a shop while talking to it. Never stored: a restart learns it again at the cost of a request or two."""

from __future__ import annotations

from dataclasses import dataclass, field

from tillsync_server.adapters.woo.rest_address import RestForm
from tillsync_server.domain.account import Account
from tillsync_server.domain.ids import AccountId

BRIDGE_MAX_BATCH = 500
"""Most items of one ``customers/batch`` of the bridge (docs/bridge/wire.md#routes)."""


@dataclass(slots=True)
class SiteKnowledge:
    form: RestForm = RestForm.PRETTY
    """The address form that led to a REST API."""
    tunnels_methods: bool = False
    """PUT and DELETE are refused on the way; POST with ``X-HTTP-Method-Override`` passes."""
    api: int | None = None
    """The newest version of the bridge's wire that both sides speak, from ``status``. None: not asked yet."""
    max_batch: int = BRIDGE_MAX_BATCH
    """What the bridge takes in one batch, from ``status`` or learnt from a refusal."""
    batch_refused_until: float = 0.0
    """Monotonic seconds: until then wc/v3 writes go one by one."""


@dataclass(slots=True)
class SiteKnowledgeBook:
    """One :class:`SiteKnowledge` per account, begun anew when address or credentials change."""

    _pages: dict[AccountId, tuple[tuple[str, str, str], SiteKnowledge]] = field(default_factory=dict)

    def of(self, account: Account) -> SiteKnowledge:
        shop = account.shop
        settings = (shop.base_url, shop.consumer_key, shop.bridge_secret)
        known = self._pages.get(account.account_id)
        if known is None or known[0] != settings:
            known = self._pages[account.account_id] = (settings, SiteKnowledge())
        return known[1]
