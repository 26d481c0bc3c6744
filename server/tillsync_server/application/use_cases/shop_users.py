"""Reports of shops about their users: deleted users, and changed emails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tillsync_server.domain.errors import FieldViolation, InvalidArgument
from tillsync_server.domain.ids import AccountId, WooCustomerId
from tillsync_server.ports.links import LinkWriter, ShopUserChange, ShopUsersReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedChange:
    """An unchecked change of a user. Exactly one of ``deleted`` and ``email_hash`` must be set."""

    woo_customer_id: int
    deleted: bool | None
    email_hash: str | None
    registered_at: datetime | None
    changed_at: datetime | None


class ShopUserReports:
    def __init__(self, writer: LinkWriter) -> None:
        self._writer = writer

    async def report(self, account_id: AccountId, changes: Sequence[ReportedChange]) -> ShopUsersReport:
        """Stores reported changes. Raises InvalidArgument, which names the change and the field; then nothing is stored."""
        violations = [violation for position, change in enumerate(changes) for violation in _violations(change, f"changes[{position}].")]
        if violations:
            raise InvalidArgument(violations)
        # the hash is not stored, because the plugin sends the user's held orders again with the present email
        return await self._writer.report_shop_users(
            account_id,
            [
                ShopUserChange(
                    woo_customer_id=WooCustomerId(change.woo_customer_id),
                    is_deleted=change.deleted is True,
                    registered_at=change.registered_at,
                    changed_at=change.changed_at,
                )
                for change in changes
            ],
        )


def _violations(change: ReportedChange, prefix: str) -> list[FieldViolation]:
    if (change.deleted is None) == (change.email_hash is None):
        return [FieldViolation(f"{prefix}change", "set exactly one of deleted and email_hash")]
    if change.deleted is False:
        return [FieldViolation(f"{prefix}deleted", "must be true or left out")]
    return []
