"""Warnings of an account, each with a text and a remedy. A warning stops no work. ``account.Problem`` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from tillsync_server.domain.enums import Side, StoredCode, WarningReason


class StrayKind(StoredCode):
    """Kinds of output before or after the data of a shop's answer. The numbers are stored."""

    MARKS_BEFORE = 1
    """Byte-order marks and blanks."""
    TEXT_BEFORE = 2
    TEXT_BEHIND = 3


_STRAY_OUTPUT = {
    StrayKind.MARKS_BEFORE: (
        "byte-order marks stand before the data",
        "Save the file without a byte-order mark that begins with one: mostly wp-config.php, or functions.php of the theme.",
    ),
    StrayKind.TEXT_BEFORE: (
        "a message or other text stands before the data",
        "Set WP_DEBUG_DISPLAY to false in the shop's wp-config.php, or update the plugin that prints.",
    ),
    StrayKind.TEXT_BEHIND: (
        "text stands behind the data",
        "Exclude /wp-json/ from caches and from plugins that print at the end of every page.",
    ),
}
_UNKNOWN_STRAY_OUTPUT = ("other text stands around the data", "Update the plugin that prints.")
"""Text and remedy for a kind that a later release stored."""


@dataclass(frozen=True, slots=True)
class StrayOutput:
    """``plugin``: the folder of the plugin or theme that the output names, or empty. The rest of the output is not kept."""

    kind: StrayKind
    plugin: str = ""

    @classmethod
    def of_detail(cls, detail: str) -> StrayOutput:
        """Parses the detail of a warning, for example ``2 loyal-friends``."""
        kind, _, plugin = detail.partition(" ")
        return cls(StrayKind(int(kind)), plugin)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountWarning:
    """``count``: how many orders or rows the warning is about, as far as they are counted. TILL_BUSY: our requests a minute.

    ``detail``: the field, id or text that the warning names. TILL_BUSY: the till's limit, and the time at which the warning ends.
    """

    reason: WarningReason
    count: int
    since: datetime
    last_time: datetime
    detail: str = ""

    @property
    def side(self) -> Side:
        match self.reason:
            case WarningReason.EVENTS_REFUSED | WarningReason.STRAY_OUTPUT:
                return Side.SHOP
            case WarningReason.ROWS_UNREADABLE | WarningReason.TILL_BUSY:
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
            case WarningReason.STRAY_OUTPUT:
                stray = StrayOutput.of_detail(self.detail)
                named = f" (it names {stray.plugin})" if stray.plugin else ""
                found = _STRAY_OUTPUT.get(stray.kind, _UNKNOWN_STRAY_OUTPUT)[0]
                return f"The shop's answers are not only data: {found}{named}. They are read all the same."
            case WarningReason.TILL_BUSY:
                limit, _, until = self.detail.partition(" ")
                return (
                    f"Epos Now refuses requests although tillsync uses only {self.count:,} of its {int(limit):,} a minute: another app of "
                    f"this company is busy. tillsync takes half of that until {until} UTC."
                )
            case _:
                assert_never(self.reason)

    @property
    def remedy(self) -> str:
        match self.reason:
            case WarningReason.EVENTS_REFUSED:
                return "Update the tillsync bridge plugin in the shop, then test the connection there."
            case WarningReason.ROWS_UNREADABLE:
                return "Correct the customer in Epos Now, then check the account; where it looks right there, report it to Epos Now."
            case WarningReason.STRAY_OUTPUT:
                return _STRAY_OUTPUT.get(StrayOutput.of_detail(self.detail).kind, _UNKNOWN_STRAY_OUTPUT)[1]
            case WarningReason.TILL_BUSY:
                return "Nothing has to be done. If it comes back, lower requests_per_minute, or ask who else uses the API of this company."
            case _:
                assert_never(self.reason)
