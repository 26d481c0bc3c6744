"""Reads the customers of sales of which the till named only the transaction. The reads stay within the till's allowance, and each customer
is hinted."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import structlog

from tillsync_server.application.concurrency.together import gather
from tillsync_server.application.use_cases.till_hints import Sender, TillHints
from tillsync_server.domain.backoff import RetryPolicy
from tillsync_server.domain.errors import Blocked, CredentialsRefused, Missing, RequestError, Throttled, Unreachable, UpstreamError
from tillsync_server.domain.ids import EposCustomerId
from tillsync_server.domain.request_class import RequestClass
from tillsync_server.ports.accounts import AccountStore
from tillsync_server.ports.sales import SaleStore, WaitingSale
from tillsync_server.ports.till import TillGateway

_LOG = structlog.get_logger(__name__)
TILLS_AT_ONCE = 16
LEASE_SECONDS = 120.0
"""Time after which another process reads a sale whose reader died. Two requests with their retries take less."""
PAUSE_SECONDS = 60.0
"""Pause while the till is throttled, away, or refuses the credentials. That is no fault of the sale, so it uses no attempt. The till's
other sales would fail in the same way."""
BUSY_SECONDS = 5.0
"""Pause while an account cannot accept its hint."""
CONTENDED_SECONDS = 0.5
"""Time until the next poll if another process has leased the due tills."""
LONGEST_WAIT_SECONDS = 24 * 3600.0
"""Longest wait of a sale whose till cannot be asked. Afterwards the customer's next change brings the points."""


class SaleOutcome(StrEnum):
    """The outcome of a read, and the label of its metric."""

    HINTED = "hinted"
    NOBODY = "nobody"
    """No account of the till has a link to the customer."""
    NO_CUSTOMER = "no_customer"
    """The sale has no customer that the till knows."""
    MISSING = "missing"
    """The till does not know the transaction."""
    POSTPONED = "postponed"
    """The sale is read again later."""
    GIVEN_UP = "given_up"
    """The last attempt failed; the log has the reason."""


class SaleReading:
    """Recurring work, which any number of processes may do."""

    def __init__(
        self,
        sales: SaleStore,
        accounts: AccountStore,
        tills: TillGateway,
        hints: TillHints,
        *,
        retry: RetryPolicy | None = None,
        observe: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._sales = sales
        self._accounts = accounts
        self._tills = tills
        self._hints = hints
        self._retry = retry or RetryPolicy()
        self._observe = observe

    async def run(self) -> float | None:
        """Reads due sales. Returns the seconds until the next one is due, or None if none waits. Raises the database's errors."""
        seconds = await self._sales.seconds_until_due()
        if seconds is None or seconds > 0:
            return seconds
        return 0.0 if await self.run_chunk() else CONTENDED_SECONDS

    async def run_chunk(self) -> bool:
        """Reads one due sale of each till. Returns whether there was one. Raises the database's errors; the sales are then read again."""
        claimed = await self._sales.claim(limit=TILLS_AT_ONCE, lease_seconds=LEASE_SECONDS)
        for result in await gather(self._read_and_count(sale) for sale in claimed):
            if isinstance(result, Exception):
                raise result
        return bool(claimed)

    async def _read_and_count(self, sale: WaitingSale) -> None:
        self._observe(await self._read(sale))

    async def _read(self, sale: WaitingSale) -> SaleOutcome:
        try:
            customer_id = await self._read_customer_id(sale)
            outcome = SaleOutcome.NO_CUSTOMER
            if customer_id is not None:
                sender = Sender(account_id=sale.account_id, till_id=sale.till_id, is_addressed=False)
                outcome = SaleOutcome.HINTED if await self._hints.customers(sender, [customer_id]) else SaleOutcome.NOBODY
        except Missing:
            outcome = SaleOutcome.MISSING
        except (Throttled, CredentialsRefused, Unreachable, Blocked) as error:
            return await self._pause(sale, error, max(error.retry_after_seconds or 0.0, PAUSE_SECONDS))
        except RequestError as error:
            return await self._pause(sale, error, BUSY_SECONDS)
        except UpstreamError as error:
            if self._retry.is_exhausted(sale.attempt_count):
                return await self._give_up(sale, error)
            await self._sales.postpone(sale, self._retry.delay_seconds(sale.attempt_count, error.retry_after_seconds))
            return SaleOutcome.POSTPONED
        await self._sales.done(sale)
        return outcome

    async def _pause(self, sale: WaitingSale, error: Exception, seconds: float) -> SaleOutcome:
        if sale.waited_seconds > LONGEST_WAIT_SECONDS:
            return await self._give_up(sale, error)
        await self._sales.pause(sale, seconds)
        return SaleOutcome.POSTPONED

    async def _give_up(self, sale: WaitingSale, error: Exception) -> SaleOutcome:
        _LOG.warning("sale_not_read", till_id=sale.till_id, transaction=sale.transaction_id, error=type(error).__name__)
        await self._sales.done(sale)
        return SaleOutcome.GIVEN_UP

    async def _read_customer_id(self, sale: WaitingSale) -> EposCustomerId | None:
        """Reads the sale's customer with the credentials of the account whose webhook reported it. If that account has left the till, those
        of another account of the till are used."""
        accounts = await self._accounts.accounts_of_till(sale.till_id)
        if not accounts:
            return None  # no account is left to hint
        with_keys = [account for account in accounts if account.epos.api_key and account.epos.api_secret] or accounts
        asking = next((account for account in with_keys if account.account_id == sale.account_id), with_keys[0])
        return await self._tills.client(asking, RequestClass.LIVE).read_buyer(sale.transaction_id)
