"""Stores for each till, which is one Epos Now company that its accounts share: request budget, search proofs and create intents.

Lock order everywhere: lanes, then the till, then intents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.intent import Intent
from tillsync_server.ports.till import CustomerPage


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenRequests:
    """The result of ``TillBudget.take_available``."""

    requests: int
    """How many requests may be sent."""
    wait_seconds: float = 0.0
    """The delay before they are sent. Above 0 only if the till's turn rule reserved one request ahead."""
    next_seconds: float = 0.0
    """An earlier call gets no request, unless another process returns some."""


class TillBudget(Protocol):
    """The till's request allowance, a token bucket that all processes share. ``per_minute`` is the till's limit for all apps of the
    company. The budget uses its share of it.
    """

    async def reserve(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        """Reserves ``requests`` ahead, for orders and for work that orders wait for.

        Returns the seconds to wait before sending (0.0: at once). The requests are reserved already, so callers wait, then send.
        Raises AllowanceSpent (with retry_after_seconds), and reserves none, if the wait would exceed 10 s. Raises Throttled while the till
        is paused.
        """
        ...

    async def take_available(self, till_id: TillId, most: int, *, per_minute: int) -> TakenRequests:
        """Takes up to ``most`` requests that are available now, for all work except orders.

        Every tenth request goes to this work: after orders reserved nine, one is reserved for it.
        Raises Throttled while the till is paused.
        """
        ...

    async def pause(self, till_id: TillId, seconds: float) -> None:
        """No process sends a request to the till for ``seconds``, after the till reported that its limit is exceeded."""
        ...

    async def note_refusal(self, till_id: TillId, *, per_minute: int) -> None:
        """Records that the till reported an exceeded limit. If our part of the limit was not used up, another app is busy. The budget then
        uses half of its part for an hour, and the till's accounts get a warning."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TillKnowledge:
    """Observations of a till under one configuration (``Account.till_configuration``)."""

    search_proven_at: datetime | None = None
    """When the search last found a plain email from list page 1. Valid for 24 h."""
    kinds_proven_at: Mapping[str, datetime] = field(default_factory=dict)
    """The same time for each other kind of email (``domain.email_kinds``)."""
    customers_read_at: datetime | None = None
    """Last successful read of a customer or of the list. For ten minutes a 404 then means *gone*."""
    types_read_at: datetime | None = None
    last_page: int | None = None
    """Number of the last list page that a completed scan saw."""
    seconds_since_restore: float | None = None
    """Seconds since the database was restored from a backup, by the database's clock. None: never. It applies to every configuration."""


class TillKnowledgeStore(Protocol):
    async def get(self, till_id: TillId, configuration: str) -> TillKnowledge: ...

    async def note_search_proven(self, till_id: TillId, configuration: str) -> None: ...

    async def note_search_unproven(self, till_id: TillId, configuration: str) -> None: ...

    async def note_kinds(self, till_id: TillId, configuration: str, kinds: Collection[str], *, proven: bool) -> None:
        """Records that the search found an email of these kinds (``proven``), or missed an existing one. Other kinds stay unchanged."""
        ...

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None: ...

    async def note_types_read(self, till_id: TillId, configuration: str) -> None: ...

    async def note_list_page(self, till_id: TillId, page: CustomerPage) -> None:
        """Records the unreadable rows of a page. The till's accounts show a warning until the rows are readable, or unseen for a week."""
        ...

    async def unread_customers(self, till_id: TillId, *, limit: int) -> list[EposCustomerId]:
        """Ids of unreadable rows, in ascending order. Rows without an id are left out."""
        ...

    async def note_customers_readable(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        """Records that these customers were read one by one, or are gone."""
        ...


class IntentStore(Protocol):
    """Allows at most one create for one till and normalised email at a time, across all accounts and processes. This prevents twins.

    ``emails``: the keys of one email (``domain.emails.email_forms``), the present form first. While two releases run, an intent is stored
    under each release's form, so that both releases find it.
    """

    async def get(self, till_id: TillId, email: str) -> Intent | None: ...

    async def open(
        self,
        till_id: TillId,
        emails: tuple[str, ...],
        account_id: AccountId,
        owner: str,
        *,
        settle_seconds: float,
        replaces: tuple[Intent, ...] = (),
    ) -> Intent | None:
        """Commits the intent under all keys or none, with ``settled_at`` = database time + ``settle_seconds``.

        Returns None if the intent is committed, or the intent that blocks it; then nothing changed. ``replaces``: the intents that the
        caller read and may replace. Such an intent is past ``settled_at`` and was followed by a search, or is DONE with a customer proven
        gone. It is replaced only if it is still exactly the same. ``owner`` names the run by account, lane owner and token, because the
        lanes of a process share the owner and may have equal tokens. Raises Unavailable if the intent changes too fast to be read.
        """
        ...

    async def mark_unknown(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        """Sets the intents of ``owner`` to UNKNOWN and keeps their ``settled_at``. Intents of another owner stay unchanged."""
        ...

    async def complete(self, till_id: TillId, emails: tuple[str, ...], owner: str, customer_id: EposCustomerId) -> None: ...

    async def clear(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        """Removes the intents of ``owner``, after the create was refused or provably not sent."""
        ...
