"""The verdicts of entries on which the service itself fails: a bug, an unreachable database, or the end of the process."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from tillsync_server.domain.enums import EntryKind, Outcome
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry

_OUTCOMES = {
    EntryKind.CUSTOMER: Outcome.EPOS_FETCH_FAILED,
    EntryKind.CUSTOMER_TYPE: Outcome.TYPE_REQUEST_FAILED,
    EntryKind.ORDER_CUSTOMER: Outcome.CUSTOMER_NOT_MATCHED,
}
_SERVICE_FAULT = "the service itself failed on this entry; it is tried again"
_DATABASE_AWAY = "the service could not ask its database; it is tried again by itself"


def service_fault(entry: ClaimedEntry) -> Verdict:
    """Returns a verdict that charges an attempt."""
    return _with_comment(Verdict.retry(_OUTCOMES[entry.kind], _SERVICE_FAULT), _SERVICE_FAULT)


def database_away(entry: ClaimedEntry, again: datetime) -> Verdict:
    """Returns a verdict that charges no attempt."""
    return _with_comment(Verdict.postponed(_OUTCOMES[entry.kind], _DATABASE_AWAY, not_before=again), _DATABASE_AWAY)


def stopped_each_time(entry: ClaimedEntry) -> Verdict:
    """Returns the verdict of an entry whose attempts are used up because the process ended each time it ran the entry."""
    return Verdict.failed(_OUTCOMES[entry.kind], "the service stopped each time it ran this entry")


def _with_comment(verdict: Verdict, text: str) -> Verdict:
    return verdict if verdict.comment else replace(verdict, comment=text)
