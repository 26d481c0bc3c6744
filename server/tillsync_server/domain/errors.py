"""The exception tree.

::

    TillsyncError
    ├── RequestError                the caller's fault; each has one gRPC code (adapters/grpc/status.py; a test finds missing ones)
    │   ├── InvalidArgument         names every offending field and its remedy
    │   ├── NotFound, AlreadyExists, FailedPrecondition, Aborted
    │   ├── Unauthenticated, PermissionDenied, NotYetImplemented
    │   └── ResourceExhausted, Unavailable: each says when to try again
    └── UpstreamError               the till's or the shop's fault; the class says whether the request can have had an effect
        ├── Unreachable             the request was provably not sent: DNS, connect, TLS
        ├── Unanswered              the request was sent and has no complete answer: its effect is unknown
        ├── Throttled               429, or the till's limit text
        │   └── AllowanceSpent      the request was not sent: our part of the till's limit is used up for some seconds
        ├── CredentialsRefused      401, or 403 that is no limit
        ├── ServerFailure           5xx: a probe decides whether this entry or the whole account is affected
        ├── Unreadable              a success status whose body violates the contract
        ├── Missing                 404 of one resource
        ├── Misaddressed            another program answers at the address: redirects, HTML 404, rest_no_route
        │   ├── Blocked             a bot check, a firewall or a page of the host answers in place of the till or the shop
        │   └── BridgeMissing       rest_no_route although the account has a bridge: the plugin is off
        └── Refused                 any other 4xx: permanent; names the field if the answer does

    RunInterrupted                  the run must stop without a verdict (lease too short, shutdown); no side failed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.domain.enums import Side

DEFAULT_RETRY_SECONDS = 1.0
"""A busy resource is usually free after this time."""


class TillsyncError(Exception):
    """Base of all exceptions that this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request, and its remedy."""

    field: str
    description: str


class RequestError(TillsyncError):
    """A request that cannot be served. ``reason`` is the ErrorInfo reason (UPPER_SNAKE_CASE, domain ``tillsync``)."""

    default_reason = "REQUEST_ERROR"

    def __init__(self, message: str, *, reason: str | None = None, metadata: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.metadata = metadata or {}


class InvalidArgument(RequestError):
    default_reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[FieldViolation], *, reason: str | None = None) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations), reason=reason)
        self.violations = tuple(violations)

    @classmethod
    def of(cls, field: str, description: str, *, reason: str | None = None) -> InvalidArgument:
        return cls([FieldViolation(field, description)], reason=reason)


class NotFound(RequestError):
    default_reason = "NOT_FOUND"


class AlreadyExists(RequestError):
    default_reason = "ALREADY_EXISTS"


class FailedPrecondition(RequestError):
    default_reason = "FAILED_PRECONDITION"


class Aborted(RequestError):
    default_reason = "ETAG_MISMATCH"


class Unauthenticated(RequestError):
    default_reason = "UNAUTHENTICATED"


class PermissionDenied(RequestError):
    default_reason = "PERMISSION_DENIED"


class ResourceExhausted(RequestError):
    default_reason = "RESOURCE_EXHAUSTED"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        metadata: dict[str, str] | None = None,
        retry_after_seconds: float = DEFAULT_RETRY_SECONDS,
    ) -> None:
        """``retry_after_seconds``: the delay after which the same call may succeed."""
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(RequestError):
    default_reason = "UNAVAILABLE"
    retry_after_seconds = DEFAULT_RETRY_SECONDS


class NotYetImplemented(RequestError):
    default_reason = "NOT_YET_IMPLEMENTED"


class ShopCause(Enum):
    """Why a shop cannot be used, if the type of the error alone does not say it."""

    MAINTENANCE = auto()
    REST_OFF = auto()
    """A plugin of the site has disabled its REST API."""
    FIREWALL = auto()
    PASSWORD = auto()
    """The web server asks for a password before WordPress runs."""
    WEB_PAGE = auto()
    """A web page with a success status in place of data, usually from a cache."""
    PHP_MESSAGE = auto()
    """PHP prints a notice before the data."""


class UpstreamError(TillsyncError):
    """The till or the shop did not carry out a request.

    ``text``: one plain sentence for notes, at most 500 characters, without credentials, markup and control characters.
    ``remedy``: the end of ``text`` if it says what to do, for example "correct the base address"; otherwise empty.
    ``status``: the HTTP status, or None without an answer. ``retry_after_seconds``: the answer's Retry-After.
    ``is_of_whole_side``: a request without this entry's content failed too, so every entry would fail.
    """

    def __init__(
        self,
        side: Side,
        text: str,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        body_text: str = "",
        field: str | None = None,
        cause: ShopCause | None = None,
        remedy: str = "",
        is_of_whole_side: bool = False,
    ) -> None:
        super().__init__(text)
        self.side = side
        self.is_of_whole_side = is_of_whole_side
        self.text = text
        self.remedy = remedy
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.body_text = body_text
        """The cleaned text of the answer (the comment of TYPE_REQUEST_FAILED). Empty: the answer had no text."""
        self.field = field
        """The refused field. None: the answer names none."""
        self.cause = cause

    @property
    def finding(self) -> str:
        """``text`` without ``remedy``."""
        return self.text.removesuffix(f": {self.remedy}") if self.remedy else self.text

    def forget_frames(self) -> None:
        """Drops the traceback and the causes. Call it before the error is stored or passed to another task.

        The frames of a traceback hold a whole request, and a future keeps the traceback. If one of the frames holds that future, only the
        cycle collector frees them. A thousand hung tills then hold 25 MB until it runs.
        """
        self.__traceback__ = self.__cause__ = self.__context__ = None


class Unreachable(UpstreamError): ...


class Unanswered(UpstreamError): ...


class Throttled(UpstreamError): ...


class AllowanceSpent(Throttled): ...


class CredentialsRefused(UpstreamError): ...


class ServerFailure(UpstreamError): ...


class Unreadable(UpstreamError): ...


class Missing(UpstreamError): ...


class Misaddressed(UpstreamError): ...


class Blocked(Misaddressed): ...


class BridgeMissing(Misaddressed): ...


class Refused(UpstreamError): ...


class RunInterrupted(TillsyncError):
    """The run of an entry stops without a verdict. The entry stays PENDING, and no attempt is charged."""


class LeaseTooShort(RunInterrupted):
    """Less than five seconds of the lane's lease are left, so no outside write may start (invariant 3)."""
