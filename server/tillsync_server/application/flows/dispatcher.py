"""Passes the entries of a lane to their flows. Each verdict goes to the engine at once, without waiting for other entries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Any, assert_never

import structlog

from tillsync_server.application.flows.customer_flow import CustomerFlow
from tillsync_server.application.flows.customer_type_flow import CustomerTypeFlow
from tillsync_server.application.flows.fault_verdicts import database_away, service_fault, stopped_each_time
from tillsync_server.application.flows.flow_services import FlowServices
from tillsync_server.application.flows.lane_context import LaneContext
from tillsync_server.application.flows.order_flow import OrderFlow
from tillsync_server.application.flows.side_gates import SideGates
from tillsync_server.domain.enums import EntryKind
from tillsync_server.domain.errors import RunInterrupted
from tillsync_server.domain.verdict import Disposition, Verdict
from tillsync_server.domain.work_class import sides_needed
from tillsync_server.ports.handler import LaneRun, LaneWork, VerdictSink
from tillsync_server.ports.lanes import ClaimedEntry
from tillsync_server.ports.links import StoredCustomer

_LOG = structlog.get_logger(__name__)

RunOne = Callable[[ClaimedEntry], Awaitable[Verdict]]
_CUSTOMER_SIDES = sides_needed(EntryKind.CUSTOMER)


class FlowHandler:
    """Implements ports.handler.EntryHandler. One per process."""

    def __init__(self, services: FlowServices) -> None:
        self._services = services

    def open(self, lane: LaneRun, verdicts: VerdictSink) -> LaneWork:
        return FlowWork(self._services, lane, verdicts)

    def fault_verdict(self, entry: ClaimedEntry) -> Verdict:
        return service_fault(entry)

    def stopped_verdict(self, entry: ClaimedEntry) -> Verdict:
        return stopped_each_time(entry)


class _Flows:
    """The flows of one configuration of the account. Most lanes have entries of one kind, so the other flows are made on first use."""

    def __init__(self, context: LaneContext) -> None:
        self._context = context
        self.customers = CustomerFlow(context)
        self.runs = 0
        """Number of runs under way."""

    @cached_property
    def types(self) -> CustomerTypeFlow:
        return CustomerTypeFlow(self._context)

    @cached_property
    def orders(self) -> OrderFlow:
        return OrderFlow(self._context)


class FlowWork:
    """Implements ports.handler.LaneWork for one lease of one lane."""

    def __init__(self, services: FlowServices, lane: LaneRun, verdicts: VerdictSink) -> None:
        self._services = services
        self._lane = lane
        self._verdicts = verdicts
        self._gates = SideGates(lane.lease.account_id, services.windows)
        self._flows: dict[int, _Flows] = {}
        """By the config_version of their settings."""

    async def run(self, entries: Sequence[ClaimedEntry]) -> None:
        """Runs the entries to their verdicts. Raises RunInterrupted at the end if an entry has none; all others have theirs by then."""
        self._gates.open({side for entry in entries for side in sides_needed(entry.kind)})
        by_version: dict[int, list[ClaimedEntry]] = {}
        for entry in entries:
            by_version.setdefault(entry.config_version, []).append(entry)
        if not await _run_all([self._run_version(part) for part in by_version.values()]):
            raise RunInterrupted("the run was interrupted")

    async def close(self) -> None:
        for flows in self._flows.values():
            await flows.customers.close()
        self._flows.clear()

    async def _run_version(self, entries: list[ClaimedEntry]) -> bool:
        try:
            account = await self._lane.account(entries[0])
            flows = self._flows.get(account.config_version)
            if flows is None:
                flows = _Flows(LaneContext(self._services, self._lane, account, self._gates))
                self._flows[account.config_version] = flows
        except Exception as error:  # noqa: BLE001 - settings cannot be read: each entry gets a verdict that says so
            return self._finish_all_faulty(entries, error)
        customers = [entry for entry in entries if entry.kind is EntryKind.CUSTOMER]
        others = [entry for entry in entries if entry.kind is not EntryKind.CUSTOMER]
        flows.runs += 1
        try:
            parts = [self._run_customers(flows.customers, customers)] if customers else []
            parts += [self._run_one(entry, self._flow_of(flows, entry.kind)) for entry in others]
            is_done = await _run_all(parts)
        finally:
            flows.runs -= 1
        await self._drop_former()
        return is_done

    async def _drop_former(self) -> None:
        """Drops the flows of earlier configurations. A lane with a steady trickle of entries keeps its lease for days."""
        newest = max(self._flows, default=0)
        former = [version for version, flows in self._flows.items() if version < newest and not flows.runs]
        for flows in [self._flows.pop(version) for version in former]:
            await flows.customers.close()

    async def _run_customers(self, flow: CustomerFlow, entries: list[ClaimedEntry]) -> bool:
        """Runs one entry alone until both sides have answered, so that the other entries need no tasks while a side hangs."""
        is_done = True
        while entries:
            try:
                self._gates.check(_CUSTOMER_SIDES)
                stored = await flow.stored_customers(entries)
            except Exception as error:  # noqa: BLE001 - as above
                return self._finish_all_faulty(entries, error) and is_done
            first = self._first_alone(entries, stored)
            part = entries if first is None else [first]
            stored = {entry.subject_id: stored[entry.subject_id] for entry in part}
            is_done = await self._run_stored(flow, part, stored) and is_done
            entries = [entry for entry in entries if entry is not first] if first is not None else []
        return is_done

    def _first_alone(self, entries: Sequence[ClaimedEntry], stored: Mapping[int, StoredCustomer]) -> ClaimedEntry | None:
        """Returns the entry that runs alone first. None: all run now, because many entries share requests and entries without a link send
        none."""
        if len(entries) >= self._services.settings.crowd or not self._gates.is_any_narrow(_CUSTOMER_SIDES):
            return None
        return next((entry for entry in entries if (link := stored[entry.subject_id].link) is not None and link.is_usable), None)

    async def _run_stored(self, flow: CustomerFlow, entries: Sequence[ClaimedEntry], stored: Mapping[int, StoredCustomer]) -> bool:
        async def run(entry: ClaimedEntry) -> Verdict:
            return await flow.run(entry, stored[entry.subject_id])

        return await _run_all([self._run_one(entry, run) for entry in entries])

    def _flow_of(self, flows: _Flows, kind: EntryKind) -> RunOne:
        match kind:
            case EntryKind.CUSTOMER_TYPE:
                return flows.types.run
            case EntryKind.ORDER_CUSTOMER:
                return flows.orders.run
            case EntryKind.CUSTOMER:
                raise ValueError("customers are run together")
            case _:
                assert_never(kind)

    async def _run_one(self, entry: ClaimedEntry, run: RunOne) -> bool:
        """Returns False if the run was interrupted and has no verdict."""
        try:
            self._gates.check(sides_needed(entry.kind))
            verdict = await self._charge_own_fault(entry, await run(entry))
        except RunInterrupted:
            return False
        except Exception as error:  # noqa: BLE001 - a bug on this entry must not touch other entries
            verdict = self._fault_verdict(entry, error)
        self._finish(entry, verdict)
        return True

    async def _charge_own_fault(self, entry: ClaimedEntry, verdict: Verdict) -> Verdict:
        """Charges a problem to the entry if it keeps opening the problem and other entries keep closing it. The entry is retried, and the
        others run on."""
        if verdict.problem is None:
            return verdict
        times = await self._services.side_history.times_opened(entry, verdict.problem.side)
        # invariant: an-entrys-fault-stops-only-itself
        if times < self._services.settings.own_problem_times:
            return verdict
        own = "only this entry meets it, again and again"
        return replace(verdict, disposition=Disposition.RETRY, problem=None, notes=(*verdict.notes, own))

    def _finish(self, entry: ClaimedEntry, verdict: Verdict) -> None:
        if verdict.problem is not None:
            self._gates[verdict.problem.side].close()
        self._verdicts.finish(entry, verdict)

    def _finish_all_faulty(self, entries: Sequence[ClaimedEntry], error: Exception) -> bool:
        if isinstance(error, RunInterrupted):
            return False
        for entry in entries:
            self._finish(entry, self._fault_verdict(entry, error))
        return True

    def _fault_verdict(self, entry: ClaimedEntry, error: Exception) -> Verdict:
        if isinstance(error, self._services.database_gone):
            return database_away(entry, self._services.now() + timedelta(seconds=self._services.settings.database_retry_seconds))
        # neither message nor values: both may contain personal data
        _LOG.error(
            "entry_failed",
            account_id=entry.account_id,
            entry_id=str(entry.entry_id),
            kind=entry.kind.name,
            error=type(error).__name__,
            where=_origin_of(error),
        )
        return service_fault(entry)


async def _run_all(parts: Sequence[Coroutine[Any, Any, bool]]) -> bool:
    """Runs the parts at once; a single one without a task, because a hung account would hold three nested tasks."""
    if len(parts) == 1:
        return await parts[0]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
    return all(task.result() for task in tasks)


def _origin_of(error: Exception) -> str:
    """Returns where the error was raised, like ``shop_writer.py:120``."""
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"
