"""What a sandbox was asked, in order of arrival, and how each request ended."""

from __future__ import annotations

import fnmatch
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tillsync_sandbox.changes import PATIENCE_SECONDS, Changes

MAX_REQUESTS = 50_000
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Of all kept bodies together: the oldest lose theirs first."""
_REDACTED = "[redacted]"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "x-tillsync-signature"})
_SECRET_QUERY = frozenset({"consumer_secret", "oauth_signature"})


class Ending(StrEnum):
    OPEN = "open"
    """Not answered yet."""
    ANSWERED = "answered"
    DISCONNECTED = "disconnected"
    """The sandbox closed the connection instead of answering; ``status`` is what it would have said, None when nothing was carried out."""
    TRUNCATED = "truncated"
    """The answer broke off in its body."""
    CLIENT_GONE = "client_gone"
    """The client left first."""


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    number: int
    """From 1, in order of arrival."""
    method: str
    path: str
    """Decoded, as asked for."""
    query: dict[str, str]
    headers: dict[str, str]
    """By lower-case name, credentials redacted."""
    body: bytes
    time: float
    """Unix seconds of arrival."""
    status: int | None = None
    ending: Ending = Ending.OPEN
    scheme: str = ""
    """Of the Authorization header: "Basic", "OAuth", or empty."""

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode("utf-8", "replace"),
            "time": self.time,
            "status": self.status,
            "ending": self.ending.value,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPattern:
    """Which requests are meant: everything given must fit."""

    method: str | None = None
    path: str | None = None
    """A shell pattern (``*``, ``?``) over the whole path; case is ignored."""
    contains: str | None = None
    """A text in the body."""
    query: Mapping[str, str] = field(default_factory=dict)
    where: Callable[[LoggedRequest], object] | None = None

    def fits(self, request: LoggedRequest) -> bool:
        return (
            (self.method is None or request.method == self.method.upper())
            and (self.path is None or fnmatch.fnmatchcase(request.path.lower(), self.path.lower()))
            and (self.contains is None or self.contains.encode() in request.body)
            and all(request.query.get(name) == value for name, value in self.query.items())
            and (self.where is None or bool(self.where(request)))
        )


class RequestLog:
    """The newest :data:`MAX_REQUESTS` requests; ``total`` counts all. Requests under ``/sandbox/`` are not in it."""

    def __init__(self) -> None:
        self.total = 0
        self._requests: deque[LoggedRequest] = deque(maxlen=MAX_REQUESTS)
        self._bodies: deque[LoggedRequest] = deque()
        self._body_bytes = 0
        self._changes = Changes()

    def __iter__(self) -> Iterator[LoggedRequest]:
        return iter(self._requests)

    def __len__(self) -> int:
        return len(self._requests)

    def arrive(self, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str], body: bytes) -> LoggedRequest:
        self.total += 1
        request = LoggedRequest(
            number=self.total,
            method=method,
            path=path,
            query={name: _REDACTED if name in _SECRET_QUERY else value for name, value in query.items()},
            headers={name.lower(): _REDACTED if name.lower() in _SECRET_HEADERS else value for name, value in headers.items()},
            body=body,
            time=time.time(),
            scheme=headers.get("Authorization", "").partition(" ")[0],
        )
        self._requests.append(request)
        if body:
            self._keep_body(request)
        self._changes.announce()
        return request

    def end(self, request: LoggedRequest, ending: Ending, status: int | None) -> None:
        request.status = status
        # A client that left stays gone, although the answer is made and thrown away.
        if request.ending is Ending.OPEN:
            request.ending = ending
        self._changes.announce()

    def matching(self, pattern: RequestPattern | None = None, **fields: Any) -> list[LoggedRequest]:
        """``log.matching(method="POST", path="/api/*/customer*")``: fields of :class:`RequestPattern`."""
        wanted = pattern or RequestPattern(**fields)
        return [request for request in self._requests if wanted.fits(request)]

    def count(self, **fields: Any) -> int:
        return len(self.matching(**fields))

    async def wait_for(
        self, count: int = 1, *, timeout: float = PATIENCE_SECONDS, ended: bool = False, **fields: Any
    ) -> list[LoggedRequest]:
        """Return the matching requests once there are ``count``; with ``ended``, once so many have ended. Raises TimeoutError."""
        pattern = RequestPattern(**fields)

        def found() -> list[LoggedRequest]:
            return [request for request in self.matching(pattern) if not ended or request.ending is not Ending.OPEN]

        await self._changes.wait_for(lambda: len(found()) >= count, timeout, self.newest)
        return found()

    def newest(self, count: int = 20) -> str:
        """The newest requests and how they ended, for the message of a failure."""
        lines = [
            f"{each.number}. {each.method} {each.path} {each.query or ''} {each.body[:200]!r}: {each.status} {each.ending}"
            for each in list(self._requests)[-count:]
        ]
        return "\n".join([f"{self.total} requests, the newest:", *lines])

    def clear(self) -> None:
        """Forget the requests; numbers go on."""
        self._requests.clear()
        self._bodies.clear()
        self._body_bytes = 0

    def _keep_body(self, request: LoggedRequest) -> None:
        self._bodies.append(request)
        self._body_bytes += len(request.body)
        while self._body_bytes > MAX_BODY_BYTES and len(self._bodies) > 1:
            oldest = self._bodies.popleft()
            self._body_bytes -= len(oldest.body)
            oldest.body = b""
