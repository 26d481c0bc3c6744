"""What is kept per till (one Epos Now company, shared by its accounts): the request budget, search proofs and create intents.

Lock order everywhere: lanes, then till, then intents.
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
    """What ``TillBudget.take_available`` gave."""

    requests: int
    """So many may be sent."""
    wait_seconds: float = 0.0
    """Before they are sent. Above 0 only where the till's turn rule booked one."""
    next_seconds: float = 0.0
    """Asking again earlier brings nothing, unless another process gives requests back."""


class TillBudget(Protocol):
    """The till's allowance of requests: a token bucket shared by all processes. ``per_minute``: the till's limit for all apps of the
    company, of which the budget takes its share.
    """

    async def reserve(self, till_id: TillId, requests: int, *, per_minute: int) -> float:
        """Books ``requests`` ahead. For orders, and what orders wait for.

        Returns the seconds to wait before sending (0.0: at once); a wait is already booked, so callers wait, then send.
        Raises AllowanceSpent (with retry_after_seconds) when the wait would exceed 10 s, booking nothing, and Throttled while the till is
        paused.
        """
        ...

    async def take_available(self, till_id: TillId, most: int, *, per_minute: int) -> TakenRequests:
        """Takes up to ``most`` requests that are there now. For everybody but orders.

        Every tenth request is left to them: where nine were booked since they took one, one is booked for them too.
        Raises Throttled while the till is paused.
        """
        ...

    async def pause(self, till_id: TillId, seconds: float) -> None:
        """The till said it is over its limit: nobody asks it anything for so long."""
        ...

    async def note_refusal(self, till_id: TillId, *, per_minute: int) -> None:
        """The till said it is over its limit. Where our part of the limit was not used up, another app is busy: half of it is taken for an
        hour, and the accounts of the till are told so by a warning."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TillKnowledge:
    """What is known of a till under one configuration (``Account.till_configuration``)."""

    search_proven_at: datetime | None = None
    """A plain email from list page 1 was found by the search. Valid 24 h."""
    kinds_proven_at: Mapping[str, datetime] = field(default_factory=dict)
    """The same for other kinds of emails (``domain.email_kinds``)."""
    customers_read_at: datetime | None = None
    """Last successful customer read or list: within ten minutes it makes a 404 mean *gone*."""
    types_read_at: datetime | None = None
    last_page: int | None = None
    """Number of the last list page seen by a completed scan."""


class TillKnowledgeStore(Protocol):
    async def get(self, till_id: TillId, configuration: str) -> TillKnowledge: ...

    async def note_search_proven(self, till_id: TillId, configuration: str) -> None: ...

    async def note_search_unproven(self, till_id: TillId, configuration: str) -> None: ...

    async def note_kinds(self, till_id: TillId, configuration: str, kinds: Collection[str], *, proven: bool) -> None:
        """The search found an email of these kinds, or did not find one that is there. Other kinds stay as they are."""
        ...

    async def note_customers_read(self, till_id: TillId, configuration: str, *, last_page: int | None = None) -> None: ...

    async def note_types_read(self, till_id: TillId, configuration: str) -> None: ...

    async def note_list_page(self, till_id: TillId, page: CustomerPage) -> None:
        """Which rows of a page cannot be read: told as a warning of the till's accounts until they can, or are not met for a week."""
        ...

    async def unread_customers(self, till_id: TillId, *, limit: int) -> list[EposCustomerId]:
        """Those with an id, ascending."""
        ...

    async def note_customers_readable(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None:
        """Each was read by itself, or is gone."""
        ...


class IntentStore(Protocol):
    """Never a twin: at most one create is under way for one till and normalised email, over all accounts and processes.

    ``emails``: the keys of one email (``domain.emails.email_forms``), the present form first. While two releases run, an intent stands
    under the form of each: whichever a process looks under, it sees it.
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
        """Commit the intent to create, under all keys or none, ``settled_at`` = database time + ``settle_seconds``.

        None when it is ours now. Otherwise an intent that stands in the way, and nothing changed. ``replaces``: the intents the
        caller has read and found dead (past ``settled_at`` and searched after it; or DONE with a customer proven gone); each is
        replaced only while it is still exactly that one. ``owner`` names the run (account, lane owner and token: the lanes of a
        process share the owner, and their tokens may be equal). Unavailable when it changes hands too fast to be read.
        """
        ...

    async def mark_unknown(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        """Keeps ``settled_at``; a run of another owner changes nothing."""
        ...

    async def complete(self, till_id: TillId, emails: tuple[str, ...], owner: str, customer_id: EposCustomerId) -> None: ...

    async def clear(self, till_id: TillId, emails: tuple[str, ...], owner: str) -> None:
        """The create was refused, or provably never sent."""
        ...
