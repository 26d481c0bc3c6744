"""The typed asynchronous client of tillsync. Its messages are those of ``tillsync.v1``. Start with :class:`TillsyncClient`."""

from tillsync_client.client import TillsyncClient
from tillsync_client.errors import (
    AbortedError,
    AlreadyExistsError,
    DeadlineError,
    FailedPreconditionError,
    FieldViolation,
    InvalidArgumentError,
    NotFoundError,
    NotImplementedYetError,
    NotReachedError,
    PermissionDeniedError,
    ResourceExhaustedError,
    TillsyncError,
    UnauthenticatedError,
    UnavailableError,
)

__all__ = [
    "TillsyncClient",
    "AbortedError",
    "AlreadyExistsError",
    "DeadlineError",
    "FailedPreconditionError",
    "FieldViolation",
    "InvalidArgumentError",
    "NotFoundError",
    "NotImplementedYetError",
    "NotReachedError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "TillsyncError",
    "UnauthenticatedError",
    "UnavailableError",
]
