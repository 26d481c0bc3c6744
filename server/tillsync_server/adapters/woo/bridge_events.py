"""Sends order events to the bridge with POST ``events``. The bridge answers one result per event, in the same order
(docs/bridge/wire.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tillsync_server.adapters.http_client.describing import UNKNOWN_NAME
from tillsync_server.adapters.woo.bridge_client import NAMESPACE
from tillsync_server.adapters.woo.bridge_wire import named_field, results_check
from tillsync_server.adapters.woo.refusals import BatchRefused
from tillsync_server.adapters.woo.requests import ShopRequests
from tillsync_server.adapters.woo.rest_answers import unreadable_error
from tillsync_server.ports.events import MAX_EVENTS, EventResult, EventStatus, OrderEvent, WaitingEvents
from tillsync_server.ports.till import WritePermit

_ROUTE = f"{NAMESPACE}/events"
_MAX_SEQUENCE = 2**62
"""Highest sequence number accepted from a shop. Higher ones are ignored, because the next number must fit in an int64."""


class BridgeEvents:
    """Implements ``ports.events.EventReceiver``."""

    def __init__(self, requests: ShopRequests) -> None:
        self._requests = requests

    async def send(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        if len(waiting.events) > MAX_EVENTS:
            raise ValueError(f"events: at most {MAX_EVENTS}, not {len(waiting.events)}")
        return await self._send_events(waiting.events, waiting.held_count, permit)

    async def _send_events(self, events: Sequence[OrderEvent], held_count: int, permit: WritePermit) -> list[EventResult]:
        """Sends the events in one request. When the shop's web server refuses its size, it sends two halves."""
        content = {"events": [event_item(event, held_count) for event in events]}
        try:
            answer = await self._requests.write("POST", _ROUTE, content, permit, is_expected=results_check(len(events)))
        except BatchRefused:
            if len(events) == 1:
                raise
            half = len(events) // 2
            return [
                *await self._send_events(events[:half], held_count, permit),
                *await self._send_events(events[half:], held_count, permit),
            ]
        return event_results(answer, events)


def event_item(event: OrderEvent, held_count: int) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "subject": event.subject,
        "sequence": str(event.sequence),
        "type": event.type.value,
        "entry_id": "" if event.entry_id is None else str(event.entry_id),
        "state": event.state.name,
        "outcome": "" if event.outcome is None else event.outcome.name,
        "held_count": held_count,
    }


def event_results(value: Any, events: Sequence[OrderEvent]) -> list[EventResult]:
    """Returns the results in the order of ``events``. Raises Unreadable unless each event has exactly one result at its position."""
    results = value.get("results") if isinstance(value, Mapping) else None
    if not isinstance(results, list):
        raise unreadable_error("it has no list of results")
    if len(results) != len(events):
        raise unreadable_error(f"{len(results)} results for {len(events)} events")
    return [_event_result(position, row, event) for position, (row, event) in enumerate(zip(results, events, strict=True))]


def _event_result(position: int, row: Any, event: OrderEvent) -> EventResult:
    if not isinstance(row, Mapping) or row.get("event_id", event.event_id) != event.event_id:
        raise unreadable_error(f"result {position} is not that of event {event.event_id}")
    try:
        status = EventStatus(row.get("status"))
    except ValueError as error:
        raise unreadable_error("a result has no status that this service knows: the versions of plugin and service do not fit") from error
    return EventResult(status=status, held_sequence=_sequence(row.get("version")), field=_refused_field(row, event))


def _refused_field(row: Mapping[str, Any], event: OrderEvent) -> str:
    """Returns the refused field of a result, "" without one, and a placeholder for a name that the event does not have.

    Warning and log show the field, so no other text of the shop may pass.
    """
    field = named_field(row)
    if field is None:
        return ""
    return field if field in event_item(event, held_count=0) else UNKNOWN_NAME


def _sequence(value: Any) -> int | None:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= 19):
        return None
    return int(value) if 0 < int(value) <= _MAX_SEQUENCE else None
