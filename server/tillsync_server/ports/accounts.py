"""Stores of accounts and tokens. Implemented by ``adapters/postgres``, the only place where secrets are encrypted."""

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
        """Creates the account with its lane and its till, and notifies the processes (``Notifier.accounts_changed``).

        Returns an existing account that has these settings, so that a caller may repeat the call. Raises AlreadyExists if it has other
        settings, and FailedPrecondition (TILL_NOT_SHARED) if another account uses the till_id.
        """
        ...

    async def get(self, account_id: AccountId) -> Account:
        """The account with its problems and decrypted credentials. Raises NotFound."""
        ...

    async def list_accounts(self, *, after: AccountId | None, limit: int) -> list[Account]:
        """Accounts after ``after``, in ascending order of account_id."""
        ...

    async def update(
        self, account_id: AccountId, change: Callable[[Account], Account], *, etag: str = "", dry_run: bool = False
    ) -> AccountChange:
        """Changes the account's settings in one transaction: locks the lane, checks the etag, applies ``change``, raises config_version.

        The transaction also writes obsolete work into ``requeue`` (sync switched on: linked customers, known types, pending removals;
        settings that decide about orders: held orders). It ends the pause of an account whose credentials or addresses changed. A
        ``change`` that changes nothing does not raise config_version. The processes are notified of a stored change
        (``Notifier.accounts_changed``).

        ``change`` is pure and may raise RequestError. ``dry_run`` returns the same answer and stores nothing.

        Raises Aborted for an outdated etag, unless ``change`` changes nothing: then the caller repeats the call that made this change. With
        ``dry_run`` an outdated etag always raises Aborted. Raises FailedPrecondition for a till_id of another account without shared_till
        (TILL_NOT_SHARED), and for a linked customer as default customer (DEFAULT_CUSTOMER_LINKED).
        """
        ...

    async def resume_side(self, account_id: AccountId, side: Side, *, config_version: int) -> bool:
        """Closes the open problem of this side and ends its pause, after a test of the side passed under these settings. Events that the
        shop's bridge refused are sent again.

        Returns False if there was no problem, or if the settings changed meanwhile.
        """
        ...

    async def accounts_of_till(self, till_id: TillId) -> Sequence[Account]:
        """The till's accounts in ascending order of id, with credentials, as of this call. Empty for a till without accounts.

        The store reads only settings that changed since the last call, so frequent calls are cheap.
        """
        ...


class AccountWarnings(Protocol):
    async def of(self, account_ids: Sequence[AccountId]) -> Mapping[AccountId, tuple[AccountWarning, ...]]:
        """The warnings of these accounts. Accounts without a warning are left out."""
        ...

    async def note_answer(self, account_id: AccountId, route: str, stray: StrayOutput | None) -> None:
        """Records that the shop answered a request to ``route`` (without ids), with ``stray`` around the data or with None.

        None ends a warning of this route. The warning of a route that is no longer called ends after a week. Never raises, because the
        shop's answer is valid in any case.
        """
        ...


class TokenStore(Protocol):
    async def create(self, token: Token, secret_hash: bytes) -> Token:
        """Stores the token and returns it. Returns an existing token with this hash, because two processes may start with one
        TILLSYNC_ADMIN_TOKEN. Raises NotFound for an unknown account."""
        ...

    async def by_hash(self, secret_hash: bytes) -> Token | None:
        """The token with this hash, also if it is revoked. None: there is none."""
        ...

    async def by_hashes(self, secret_hashes: Sequence[bytes]) -> dict[bytes, Token]:
        """The existing tokens with these hashes, also revoked ones."""
        ...

    async def list_tokens(self, account_id: AccountId | None, *, after: str, limit: int) -> list[Token]:
        """Tokens after ``after``, in ascending order of token_id. ``account_id`` None: tokens of the roles without an account."""
        ...

    async def revoke(self, account_id: AccountId | None, token_id: str) -> Token:
        """Revokes the token and notifies the other processes (``Notifier.tokens_changed``). Idempotent. Raises NotFound."""
        ...

    async def note_used(self, token_ids: Sequence[str]) -> None:
        """Sets the tokens' last use to now. Called at most once a minute for each token."""
        ...


class TillCustomersSeen(Protocol):
    """Customer ids that each till has served. CheckAccount compares them to find two till_ids of one Epos Now company."""

    async def note_customer_ids(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> None: ...

    async def tills_with_same_customers(self, till_id: TillId, customer_ids: Sequence[EposCustomerId]) -> list[TillId]: ...
