"""Sends order events to the bridge with POST ``events``. The bridge answers one result per event, in the same order
(docs/bridge/wire.md).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from tillsync_server.adapters.http_client.describing import UNKNOWN_NAME
from tillsync_server.adapters.woo.bridge_client import NAMESPACE, BridgeClient
from tillsync_server.adapters.woo.bridge_wire import API_WITH_OPTIONAL_FIELDS, named_field, results_check
from tillsync_server.adapters.woo.refusals import BatchRefused
from tillsync_server.adapters.woo.requests import ShopRequests
from tillsync_server.adapters.woo.rest_answers import unreadable_error
from tillsync_server.domain.enums import EntryState, Outcome
from tillsync_server.domain.errors import UpstreamError
from tillsync_server.domain.shown_text import shown
from tillsync_server.ports.events import MAX_EVENTS, EventAnswer, EventResult, EventStatus, OrderEvent, WaitingEvents
from tillsync_server.ports.till import WritePermit

_ROUTE = f"{NAMESPACE}/events"
_ANSWER = "answer"
_MAX_COMMENT = 1_000
"""Longest comment in characters, as in an answer of the API."""
_MAX_SEQUENCE = 2**62
"""Highest sequence number accepted from a shop. Higher ones are ignored, because the next number must fit in an int64."""


class BridgeEvents:
    """Implements ``ports.events.EventReceiver``."""

    def __init__(self, requests: ShopRequests, bridge: BridgeClient) -> None:
        self._requests = requests
        self._bridge = bridge

    async def send(self, waiting: WaitingEvents, permit: WritePermit) -> list[EventResult]:
        if len(waiting.events) > MAX_EVENTS:
            raise ValueError(f"events: at most {MAX_EVENTS}, not {len(waiting.events)}")
        # An older bridge refuses unknown fields. The version is read after a success, so a shop that hangs gets no further request.
        api = self._bridge.known_api
        takes_answers = api is not None and api >= API_WITH_OPTIONAL_FIELDS
        results = await self._send_events(waiting.events, waiting.held_count, permit, takes_answers=takes_answers)
        if api is None:
            with contextlib.suppress(UpstreamError):
                await self._bridge.status()
        if takes_answers and any(result.status is EventStatus.INVALID and result.field == _ANSWER for result in results):
            # The plugin was replaced by an older one. The events that it accepted get UNCHANGED.
            await self._bridge.status()
            return await self._send_events(waiting.events, waiting.held_count, permit, takes_answers=False)
        return results

    async def _send_events(
        self, events: Sequence[OrderEvent], held_count: int, permit: WritePermit, *, takes_answers: bool
    ) -> list[EventResult]:
        """Sends the events in one request. When the shop's web server refuses its size, it sends two halves."""
        content = {"events": [event_item(event, held_count, takes_answers=takes_answers) for event in events]}
        try:
            answer = await self._requests.write("POST", _ROUTE, content, permit, is_expected=results_check(len(events)))
        except BatchRefused:
            if len(events) == 1:
                raise
            half = len(events) // 2
            return [
                *await self._send_events(events[:half], held_count, permit, takes_answers=takes_answers),
                *await self._send_events(events[half:], held_count, permit, takes_answers=takes_answers),
            ]
        return event_results(answer, events)


def event_item(event: OrderEvent, held_count: int, *, takes_answers: bool) -> dict[str, Any]:
    state, outcome = _code(event.state), _code(event.outcome)
    answer = event.answer if takes_answers and state and outcome else None
    return {
        "event_id": event.event_id,
        "subject": event.subject,
        "sequence": str(event.sequence),
        "type": event.type.value,
        "entry_id": "" if event.entry_id is None else str(event.entry_id),
        "state": state,
        "outcome": outcome,
        "held_count": held_count,
        **({} if answer is None else {_ANSWER: _answer_item(answer)}),
    }


def _answer_item(answer: EventAnswer) -> dict[str, Any]:
    return {
        "comment": shown(answer.comment, most=_MAX_COMMENT),
        "causes": [] if answer.cause is None else [_code(answer.cause)],
        "epos_customer_id": str(answer.epos_customer_id or 0),
        "note_count": answer.note_count,
    }


def _code(code: EntryState | Outcome | None) -> str:
    """Returns the name of a code, or "" for one of a later release, because a bridge refuses a name of digits."""
    return "" if code is None or code.name.isdigit() else code.name


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
    return field if field in event_item(event, held_count=0, takes_answers=True) else UNKNOWN_NAME


def _sequence(value: Any) -> int | None:
    if not isinstance(value, str) or not (value.isascii() and value.isdigit() and len(value) <= 19):
        return None
    return int(value) if 0 < int(value) <= _MAX_SEQUENCE else None
