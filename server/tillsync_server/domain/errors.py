"""The exception tree.

::

    TillsyncError
    ├── RequestError                what a caller did; one gRPC code each (adapters/grpc/status.py, a test proves it total)
    │   ├── InvalidArgument         names every offending field and its remedy
    │   ├── NotFound, AlreadyExists, FailedPrecondition, Aborted
    │   ├── Unauthenticated, PermissionDenied, NotYetImplemented
    │   └── ResourceExhausted, Unavailable: each says when to come back
    └── UpstreamError               what the till or the shop did; each says whether the request can have had an effect
        ├── Unreachable             provably never left: DNS, connect, TLS
        ├── Unanswered              sent, no whole answer: the effect is unknown
        ├── Throttled               429, or the till's limit text
        │   └── AllowanceSpent      never sent: the part of the till's limit that we take is used up for some seconds
        ├── CredentialsRefused      401, or 403 that is no limit
        ├── ServerFailure           5xx: a probe decides between this entry and the whole account
        ├── Unreadable              a success status whose body is not what the contract says
        ├── Missing                 404 of one resource
        ├── Misaddressed            something else answers at the address: redirects, HTML 404, rest_no_route
        │   ├── Blocked             something before the till or the shop answers: a bot check, a firewall, a page of the host
        │   └── BridgeMissing       rest_no_route although the account has a bridge: its plugin is off
        └── Refused                 any other 4xx: permanent, names the field where known

    RunInterrupted                  the run must stop without a verdict (lease too short, shutdown): not an error of anyone
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from tillsync_server.domain.enums import Side

DEFAULT_RETRY_SECONDS = 1.0
"""What is busy just now is mostly free by then."""


class TillsyncError(Exception):
    """Base of everything this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request, and what to do about it."""

    field: str
    description: str


class RequestError(TillsyncError):
    """A request cannot be served as asked. ``reason`` is the ErrorInfo reason (UPPER_SNAKE_CASE, domain ``tillsync``)."""

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
        """``retry_after_seconds``: when the same call may be served."""
        super().__init__(message, reason=reason, metadata=metadata)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(RequestError):
    default_reason = "UNAVAILABLE"
    retry_after_seconds = DEFAULT_RETRY_SECONDS


class NotYetImplemented(RequestError):
    default_reason = "NOT_YET_IMPLEMENTED"


class ShopCause(Enum):
    """What stands between us and a shop, where the type of the error alone does not say it."""

    MAINTENANCE = auto()
    REST_OFF = auto()
    """A plugin of the site has switched its REST API off."""
    FIREWALL = auto()
    PASSWORD = auto()
    """The web server asks for one before WordPress runs."""
    WEB_PAGE = auto()
    """A page in place of data, called a success: mostly out of a cache."""
    PHP_MESSAGE = auto()
    """PHP prints a notice before the data."""


class UpstreamError(TillsyncError):
    """The till or the shop did not do what was asked.

    ``text``: one plain sentence, already without credentials, markup and control characters, at most 500 characters, for notes.
    ``remedy``: how it ends where it says what to do, as "correct the base address"; empty: it does not.
    ``status``: the HTTP status, where there was one. ``retry_after_seconds``: what the answer's Retry-After said.
    ``is_of_whole_side``: a request without this entry's content failed too, so every entry would meet it.
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
        """The cleaned text of the answer itself (the comment of TYPE_REQUEST_FAILED); empty when it had none."""
        self.field = field
        """The refused field, where the answer names one."""
        self.cause = cause

    @property
    def finding(self) -> str:
        """The text without its remedy."""
        return self.text.removesuffix(f": {self.remedy}") if self.remedy else self.text

    def forget_frames(self) -> None:
        """Drops the traceback and the causes, before the error is kept or handed to another task.

        Their frames hold a whole request. A future keeps the traceback too: where one of the frames holds that future, only the cycle
        collector frees them, and a thousand hung tills keep 25 MB until it runs.
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
    """The run of an entry stops here without a verdict; the entry stays PENDING, no attempt is charged."""


class LeaseTooShort(RunInterrupted):
    """Less than five seconds of the lane's lease are left: no outside write may start (invariant 3)."""
