"""The verdicts of entries on which the service itself fails: an exception of ours, or the end of the process."""

from __future__ import annotations

from tillsync_server.domain.catalogue import comment_of
from tillsync_server.domain.verdict import Verdict
from tillsync_server.domain.vocabulary import EntryKind, Outcome
from tillsync_server.ports.lanes import ClaimedEntry

_OUTCOMES = {
    EntryKind.CUSTOMER: Outcome.EPOS_FETCH_FAILED,
    EntryKind.CUSTOMER_TYPE: Outcome.TYPE_REQUEST_FAILED,
    EntryKind.ORDER_CUSTOMER: Outcome.CUSTOMER_NOT_MATCHED,
}
_SERVICE_FAULT = "the service itself failed on this entry; it is tried again"


def service_fault(entry: ClaimedEntry) -> Verdict:
    outcome = _OUTCOMES[entry.kind]
    return Verdict.retry(outcome, _SERVICE_FAULT, comment=comment_of(outcome) or _SERVICE_FAULT)


def stopped_each_time(entry: ClaimedEntry) -> Verdict:
    """The process ended each time it ran the entry, until its attempts were used up."""
    return Verdict.failed(_OUTCOMES[entry.kind], "the service stopped each time it ran this entry")
