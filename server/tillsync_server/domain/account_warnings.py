"""What is wrong with an account without stopping it: its sentence and the remedy. The counterpart that stops it is ``account.Problem``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from tillsync_server.domain.vocabulary import Side, WarningReason


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWarning:
    """``count``: of what it is about, as far as it is counted. ``detail``: the field, id or text that the sentence names."""

    reason: WarningReason
    count: int
    since: datetime
    last_time: datetime
    detail: str = ""

    @property
    def side(self) -> Side:
        match self.reason:
            case WarningReason.EVENTS_REFUSED:
                return Side.SHOP
            case WarningReason.ROWS_UNREADABLE:
                return Side.TILL
            case _:
                assert_never(self.reason)

    @property
    def text(self) -> str:
        match self.reason:
            case WarningReason.EVENTS_REFUSED:
                orders = "an order" if self.count == 1 else f"{self.count:,} orders"
                named = f" (field {self.detail})" if self.detail else ""
                return (
                    f"The tillsync bridge in the shop does not understand what it is told of {orders}{named}. The service keeps it and "
                    "tells it again every hour."
                )
            case WarningReason.ROWS_UNREADABLE:
                if self.count == 1:
                    rows = f"A row of Epos Now's customer list cannot be read (customer {self.detail})."
                else:
                    more = " and others" if self.count > self.detail.count(",") + 1 else ""
                    rows = f"{self.count:,} rows of Epos Now's customer list cannot be read (customers {self.detail}{more})."
                return f"{rows} They hinder no order of other people; an order of whoever may stand in such a row waits."
            case _:
                assert_never(self.reason)

    @property
    def remedy(self) -> str:
        match self.reason:
            case WarningReason.EVENTS_REFUSED:
                return "Update the tillsync bridge plugin in the shop, then test the connection there."
            case WarningReason.ROWS_UNREADABLE:
                return "Correct the customer in Epos Now, then check the account; where it looks right there, report it to Epos Now."
            case _:
                assert_never(self.reason)
