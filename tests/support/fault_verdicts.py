"""Verdicts of test handlers for entries on which the service itself fails. They equal those of the flows."""

from __future__ import annotations

from tillsync_server.application.flows.fault_verdicts import service_fault, stopped_each_time
from tillsync_server.domain.verdict import Verdict
from tillsync_server.ports.lanes import ClaimedEntry


class FaultVerdicts:
    """A part of ports.handler.EntryHandler."""

    def fault_verdict(self, entry: ClaimedEntry) -> Verdict:
        return service_fault(entry)

    def stopped_verdict(self, entry: ClaimedEntry) -> Verdict:
        return stopped_each_time(entry)
