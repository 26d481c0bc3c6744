"""Accounts and tokens as they are kept. Implemented by ``adapters/postgres``; secrets are encrypted there, and only there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tillsync_server.domain.account import Account
from tillsync_server.domain.account_warnings import AccountWarning, StrayOutput
from tillsync_server.domain.enums import Side
from tillsync_server.domain.ids import AccountId, EposCustomerId, TillId
from tillsync_server.domain.settings_change import SettingsEffect
from tillsync_server.domain.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChange:
    account: Account
    effect: SettingsEffect


class AccountStore(Protocol):
    async def create(self, account: Account) -> Account:
        """With its lane and its till. Tells the processes (``Notifier.accounts_changed``). An account that is there already with these
        settings is the answer, so that a caller may repeat the call. AlreadyExists: it has other settings. FailedPrecondition
        (TILL_NOT_SHARED): another account uses the till_id."""
        ...

    async def get(self, account_id: AccountId) -> Account:
        """With its problem, credentials decrypted. NotFound."""
        ...

    async def list_accounts(self, *, after: AccountId | None, limit: int) -> list[Account]:
        """By ascending account_id, from ``after`` on."""
        ...

    async def update(
        self, account_id: AccountId, change: Callable[[Account], Account], *, etag: str = "", dry_run: bool = False
    ) -> AccountChange:
        """Lock the lane, read, check the etag (Aborted), apply ``change``, store, raise config_version: one transaction.

        An outdated etag is no error where ``change`` changes nothing: the call that made this change is being repeated. With ``dry_run``
        it always is one.

        ``change`` is pure and may raise RequestError. FailedPrecondition: a till_id of another account without shared_till
        (TILL_NOT_SHARED), a linked customer as default customer (DEFAULT_CUSTOMER_LINKED). The transaction also writes what the
        change makes obsolete into ``requeue`` (sync switched on: linked customers, known types, pending removals; settings that
        decide about orders: held orders) and ends the pause of an account whose credentials or addresses changed. A ``change``
        that changes nothing raises nothing. What is stored is told to the processes (``Notifier.accounts_changed``). ``dry_run``: the
        same answer, nothing stored.
        """
        ...

    async def resume_side(self, account_id: AccountId, side: Side, *, config_version: int) -> bool:
        """A test of this side passed under these settings: its account problem, if one is open, is closed and the pause ends. What the
        shop's bridge refused is told again.

        False: there was no problem, or the settings changed meanwhile.
        """
        ...

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]:
        """By ascending id, with credentials, none older than the call. Settings are read anew only where they changed, so that whoever
        must know all of them may ask each time. Empty for a till that no account uses."""
        ...


class AccountWarnings(Protocol):
    async def of(self, account_ids: Sequence[AccountId]) -> Mapping[AccountId, tuple[AccountWarning, ...]]:
        """What is wrong with these accounts without pausing them. Accounts without a warning are left out."""
        ...

    async def note_answer(self, account_id: AccountId, route: str, stray: StrayOutput | None) -> None:
        """The shop answered a request to ``route`` (without ids), with ``stray`` around its data or without: then a warning of this
        route ends. One of a route that is not asked any more ends after a week. Never raises: the answer counts whatever becomes of
        this."""
        ...


class TokenStore(Protocol):
    async def create(self, token: Token, secret_hash: bytes) -> Token:
        """The token with this hash: the one that is there already, where two processes start with one TILLSYNC_ADMIN_TOKEN. NotFound for an
        unknown account."""
        ...

    async def by_hash(self, secret_hash: bytes) -> Token | None:
        """Revoked ones too."""
        ...

    async def by_hashes(self, secret_hashes: Sequence[bytes]) -> dict[bytes, Token]:
        """Those that are there, revoked ones too."""
        ...

    async def list_tokens(self, account_id: AccountId | None, *, after: str, limit: int) -> list[Token]:
        """By ascending token_id. ``account_id`` None: the tokens of the roles without an account."""
        ...

    async def revoke(self, account_id: AccountId | None, token_id: str) -> Token:
        """Idempotent. NotFound. Tells the other processes (``Notifier.tokens_changed``)."""
        ...

    async def note_used(self, token_ids: Sequence[str]) -> None:
        """About now; called at most once a minute for a token."""
        ...


class TillCustomersSeen(Protocol):
    """What CheckAccount compares to find two till_ids that look like one Epos Now company."""

    async def note_customer_ids(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None: ...

    async def tills_with_same_customers(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> list[TillId]: ...
