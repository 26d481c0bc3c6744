"""Errors as statuses. The table is total, and a status has the reason, the fields and the retry delay."""

from __future__ import annotations

import grpc
import pytest
from support.grpc_server import Refusal
from tillsync_server.adapters.grpc.status import CODES, MAX_MESSAGE_LENGTH, MAX_VIOLATIONS, internal_status, status_of
from tillsync_server.domain import errors
from tillsync_server.domain.errors import FieldViolation, InvalidArgument, NotFound, RequestError, ResourceExhausted


def subclasses(kind: type[RequestError]) -> set[type[RequestError]]:
    return {each for child in kind.__subclasses__() for each in ({child} | subclasses(child))}


def test_table_has_every_request_error() -> None:
    in_domain = {kind for kind in subclasses(RequestError) if kind.__module__ == errors.__name__}
    assert set(CODES) == in_domain
    assert grpc.StatusCode.OK not in CODES.values()
    assert grpc.StatusCode.INTERNAL not in CODES.values(), "nothing a caller did is our fault"


def test_no_request_error_is_missing_in_the_table() -> None:
    assert subclasses(RequestError) == set(CODES)


@pytest.mark.parametrize("kind", [kind for kind in CODES if kind is not InvalidArgument], ids=lambda kind: kind.__name__)
def test_every_error_carries_its_reason(kind: type[RequestError]) -> None:
    seen = Refusal.from_status(status_of(kind("what happened", metadata={"account_id": "shop-a"})))
    assert (seen.code, seen.message, seen.reason) == (CODES[kind], "what happened", kind.default_reason)
    assert seen.metadata == {"account_id": "shop-a"}


def test_field_violations_are_named_one_by_one() -> None:
    seen = Refusal.from_status(status_of(InvalidArgument([FieldViolation("a", "is required"), FieldViolation("b.c", "is too long")])))
    assert seen.code is grpc.StatusCode.INVALID_ARGUMENT
    assert seen.fields == {"a": "is required", "b.c": "is too long"}


def test_status_has_the_retry_delay() -> None:
    seen = Refusal.from_status(status_of(ResourceExhausted("full", reason="RATE_EXCEEDED", retry_after_seconds=1.25)))
    assert (seen.reason, seen.retry_seconds) == ("RATE_EXCEEDED", 1.25)
    assert Refusal.from_status(status_of(NotFound("gone"))).retry_seconds is None


def test_status_fits_into_the_trailers_of_clients() -> None:
    """Clients accept 8 kB by default, and message and details are two copies of the text."""
    many = InvalidArgument(
        [FieldViolation(f"orders[{number}].order.first_name", "must have at most 255 characters") for number in range(500)]
    )
    status = status_of(many)
    assert len(status.message) == MAX_MESSAGE_LENGTH
    assert len(Refusal.from_status(status).fields) == MAX_VIOLATIONS
    assert status.ByteSize() + len(status.message) < 7000


def test_internal_fault_shows_only_its_incident_number() -> None:
    seen = Refusal.from_status(internal_status("3fa9c2e1"))
    assert (seen.code, seen.reason, seen.metadata) == (grpc.StatusCode.INTERNAL, "INTERNAL", {"incident": "3fa9c2e1"})
