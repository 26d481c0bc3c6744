"""Sales of which the till named only the transaction: the customer is read from the till, within its allowance, and hinted."""

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
"""A sale whose reader died is read by another after so long: more than two requests with their retries take."""
PAUSE_SECONDS = 60.0
"""While the till is throttled, away, or refuses the credentials: that is no fault of the sale's, and uses up no attempt. Its other sales
would meet the same."""
BUSY_SECONDS = 5.0
"""While an account cannot take its hint."""
CONTENDED_SECONDS = 0.5
"""Until the next look where another process holds the tills that are due."""
LONGEST_WAIT_SECONDS = 24 * 3600.0
"""Of a sale whose till cannot be asked. Afterwards the customer's next change brings the points."""


class SaleOutcome(StrEnum):
    """What came of a read. Label of its metric."""

    HINTED = "hinted"
    NOBODY = "nobody"
    """No account of the till has a link to the customer."""
    NO_CUSTOMER = "no_customer"
    """A sale to nobody whom the till knows."""
    MISSING = "missing"
    """The till does not know the transaction."""
    POSTPONED = "postponed"
    """Read again later."""
    GIVEN_UP = "given_up"
    """After the last attempt: the log says why."""


class SaleReading:
    """Recurring work; any number of processes may do it."""

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
        """Reads the sales that are due. Returns the seconds until the next one is; None: none waits. Raises what the database raises."""
        seconds = await self._sales.seconds_until_due()
        if seconds is None or seconds > 0:
            return seconds
        return 0.0 if await self.run_chunk() else CONTENDED_SECONDS

    async def run_chunk(self) -> bool:
        """One sale of each till that is due. False when there was none. Raises what the database raises: the sales come again."""
        claimed = await self._sales.claim(limit=TILLS_AT_ONCE, lease_seconds=LEASE_SECONDS)
        for result in await gather(self._read_and_count(sale) for sale in claimed):
            if isinstance(result, Exception):
                raise result
        return bool(claimed)

    async def _read_and_count(self, sale: WaitingSale) -> None:
        self._observe(await self._read(sale))

    async def _read(self, sale: WaitingSale) -> SaleOutcome:
        try:
            buyer = await self._buyer(sale)
            outcome = SaleOutcome.NO_CUSTOMER
            if buyer is not None:
                sender = Sender(account_id=sale.account_id, till_id=sale.till_id, is_addressed=False)
                outcome = SaleOutcome.HINTED if await self._hints.customers(sender, [buyer]) else SaleOutcome.NOBODY
        except Missing:
            outcome = SaleOutcome.MISSING
        except (Throttled, CredentialsRefused, Unreachable, Blocked) as error:
            return await self._paused(sale, error, max(error.retry_after_seconds or 0.0, PAUSE_SECONDS))
        except RequestError as error:
            return await self._paused(sale, error, BUSY_SECONDS)
        except UpstreamError as error:
            if self._retry.is_exhausted(sale.attempt_count):
                return await self._given_up(sale, error)
            await self._sales.postpone(sale, self._retry.delay_seconds(sale.attempt_count, error.retry_after_seconds))
            return SaleOutcome.POSTPONED
        await self._sales.done(sale)
        return outcome

    async def _paused(self, sale: WaitingSale, error: Exception, seconds: float) -> SaleOutcome:
        if sale.waited_seconds > LONGEST_WAIT_SECONDS:
            return await self._given_up(sale, error)
        await self._sales.pause(sale, seconds)
        return SaleOutcome.POSTPONED

    async def _given_up(self, sale: WaitingSale, error: Exception) -> SaleOutcome:
        _LOG.warning("sale_not_read", till_id=sale.till_id, transaction=sale.transaction_id, error=type(error).__name__)
        await self._sales.done(sale)
        return SaleOutcome.GIVEN_UP

    async def _buyer(self, sale: WaitingSale) -> EposCustomerId | None:
        """By the credentials of the account whose webhook it was; where it left the till, by those of another that has it."""
        accounts = await self._accounts.accounts_of_till(sale.till_id)
        if not accounts:
            return None  # nor is anybody left who could be told
        with_keys = [account for account in accounts if account.epos.api_key and account.epos.api_secret] or accounts
        asking = next((account for account in with_keys if account.account_id == sale.account_id), with_keys[0])
        return await self._tills.client(asking, RequestClass.LIVE).read_buyer(sale.transaction_id)
