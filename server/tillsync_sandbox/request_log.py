"""The log of requests to a sandbox, in order of arrival, with the ending of each request."""

from __future__ import annotations

import fnmatch
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tillsync_sandbox.changes import DEFAULT_TIMEOUT_SECONDS, ChangeSignal

MAX_REQUESTS = 50_000
MAX_BODY_BYTES = 64 * 1024 * 1024
"""Maximum bytes of all logged bodies together. The oldest requests lose their bodies first."""
_REDACTED = "[redacted]"
_SECRET_HEADERS = frozenset({"authorization", "cookie", "x-tillsync-signature"})
_SECRET_QUERY = frozenset({"consumer_secret", "oauth_signature"})


class Ending(StrEnum):
    OPEN = "open"
    """Not answered yet."""
    ANSWERED = "answered"
    DISCONNECTED = "disconnected"
    """The sandbox closed the connection without an answer. ``status`` is that of the suppressed answer, None when nothing was executed."""
    TRUNCATED = "truncated"
    """The answer ended in the middle of its body."""
    CLIENT_GONE = "client_gone"
    """The client disconnected before the answer."""


@dataclass(slots=True, kw_only=True)
class LoggedRequest:
    number: int
    """Number in order of arrival, from 1."""
    method: str
    path: str
    """Path of the request, decoded."""
    query: dict[str, str]
    headers: dict[str, str]
    """Headers by lower-case name, with redacted credentials."""
    body: bytes
    time: float
    """Time of arrival in Unix seconds."""
    status: int | None = None
    ending: Ending = Ending.OPEN
    scheme: str = ""
    """Scheme of the Authorization header: "Basic", "OAuth", or empty."""

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
    """A pattern of requests. A request must match every given field."""

    method: str | None = None
    path: str | None = None
    """Shell pattern (``*``, ``?``) of the whole path, in any case."""
    contains: str | None = None
    """Text that the body contains."""
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
    """The newest :data:`MAX_REQUESTS` requests; ``total`` counts all. It excludes requests to ``/sandbox/``."""

    def __init__(self) -> None:
        self.total = 0
        self._requests: deque[LoggedRequest] = deque(maxlen=MAX_REQUESTS)
        self._bodies: deque[LoggedRequest] = deque()
        self._body_bytes = 0
        self._changes = ChangeSignal()

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
        self._changes.notify()
        return request

    def end(self, request: LoggedRequest, ending: Ending, status: int | None) -> None:
        request.status = status
        # CLIENT_GONE stays, although the sandbox still makes the answer and discards it.
        if request.ending is Ending.OPEN:
            request.ending = ending
        self._changes.notify()

    def matching(self, pattern: RequestPattern | None = None, **fields: Any) -> list[LoggedRequest]:
        """Returns the matching requests, for example ``log.matching(method="POST", path="/api/*/customer*")``.

        ``fields`` are those of :class:`RequestPattern`.
        """
        pattern = pattern or RequestPattern(**fields)
        return [request for request in self._requests if pattern.fits(request)]

    def count(self, **fields: Any) -> int:
        return len(self.matching(**fields))

    async def wait_for(
        self, count: int = 1, *, timeout: float = DEFAULT_TIMEOUT_SECONDS, ended: bool = False, **fields: Any
    ) -> list[LoggedRequest]:
        """Returns the matching requests once there are ``count``. With ``ended`` only ended requests count. Raises TimeoutError."""
        pattern = RequestPattern(**fields)

        def found() -> list[LoggedRequest]:
            return [request for request in self.matching(pattern) if not ended or request.ending is not Ending.OPEN]

        await self._changes.wait_for(lambda: len(found()) >= count, timeout, self.newest)
        return found()

    def newest(self, count: int = 20) -> str:
        """Returns the newest requests and their endings as text for an error message."""
        lines = [
            f"{each.number}. {each.method} {each.path} {each.query or ''} {each.body[:200]!r}: {each.status} {each.ending}"
            for each in list(self._requests)[-count:]
        ]
        return "\n".join([f"{self.total} requests, the newest:", *lines])

    def clear(self) -> None:
        """Removes all requests. Numbering continues."""
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
