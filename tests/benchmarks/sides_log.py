"""Spans of the requests to a sandbox, from its log: arrival and answer of each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tillsync_sandbox.request_log import Ending, LoggedRequest, RequestLog


@dataclass(frozen=True, slots=True)
class Span:
    request: LoggedRequest
    seconds: float

    @property
    def end(self) -> float:
        return self.request.time + self.seconds


@dataclass
class SpanLog:
    """Records the span of every request of ``log`` that ends from now on."""

    log: RequestLog
    spans: list[Span] = field(default_factory=list)

    def __post_init__(self) -> None:
        end = self.log.end

        def end_and_note(request: LoggedRequest, ending: Ending, status: int | None) -> None:
            self.spans.append(Span(request, time.time() - request.time))
            end(request, ending, status)

        self.log.end = end_and_note  # type: ignore[method-assign]

    def take(self) -> list[Span]:
        """Returns the spans since the last call, by arrival."""
        taken, self.spans = self.spans, []
        return sorted(taken, key=lambda span: span.request.time)


def median_seconds(spans: Sequence[Span]) -> float:
    """Returns the median of one request. 0 without requests."""
    return statistics.median(span.seconds for span in spans) if spans else 0.0


def in_sequence(spans: Sequence[Span]) -> int:
    """Returns the number of consecutive requests. A request that overlaps an earlier one does not count."""
    count, until = 0, 0.0
    for span in spans:
        count += span.request.time >= until
        until = max(until, span.end)
    return count
