"""Static facts of each method: its roles, its limits, the checks of its requests, and its kind of work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from tillsync_server.adapters.grpc.access import ACCESS, ALLOWS_REVOKED, AT_ONCE, CREATES_ACCOUNT, HEAVY, WAITING
from tillsync_server.adapters.grpc.call_places import Work
from tillsync_server.adapters.grpc.calls_at_once import CallsAtOnce
from tillsync_server.adapters.grpc.message_limits import MAX_OPEN_REQUEST_BYTES, max_bytes
from tillsync_server.adapters.grpc.request_checks import MessageCheck, check_of
from tillsync_server.adapters.grpc.servicers.unbuilt import UNBUILT
from tillsync_server.domain.enums import Role

CallEnded = Callable[[str, float], None]
"""Called when a call ends, with the name of its gRPC code ("OK", "NOT_FOUND") and its duration in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    path: str
    """``/package.Service/Method``."""
    is_open: bool
    """Whether callers need no token. Such a call takes no place of a token, and its request is tiny."""
    roles: frozenset[Role] | None
    """Roles that may call it; None for every valid token."""
    allows_revoked: bool = False
    """Whether a revoked SITE token may call it (``Caller.is_revoked``)."""
    check: MessageCheck | None
    has_account: bool
    account_must_exist: bool
    """False also for UNBUILT methods, whose requests are not checked."""
    max_bytes: int
    """Limit of a request after decompression."""
    work: Work
    ended: CallEnded
    at_once: CallsAtOnce | None = None
    """None: no limit for each account."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaryMethod:
    """A method with one request and one answer, as both edges call it."""

    method: Method
    parse: Callable[[bytes], Any]
    """Parses the binary form of a request. Raises DecodeError."""
    behaviour: Callable[[Any, Any], Awaitable[Message]]
    serialize: Callable[[Any], bytes]


def method_of(service: str, name: str, ended: CallEnded, *, roles: frozenset[Role] | None = None, is_open: bool = False) -> Method:
    """Returns the facts of one method. ``roles`` is for services outside the contract, whose requests are not checked further."""
    path = f"/{service}/{name}"
    limit = MAX_OPEN_REQUEST_BYTES if is_open else max_bytes(path)
    if path not in ACCESS:
        return Method(
            path=path,
            is_open=is_open,
            roles=roles,
            check=None,
            has_account=False,
            account_must_exist=False,
            max_bytes=limit,
            work=Work.SHORT,
            ended=ended,
        )
    request = descriptor_pool.Default().FindMethodByName(f"{service}.{name}").input_type
    has_account, built = "account_id" in request.fields_by_name, path not in UNBUILT
    return Method(
        path=path,
        is_open=False,
        roles=ACCESS[path],
        allows_revoked=path in ALLOWS_REVOKED,
        check=check_of(request) if built else None,
        has_account=has_account,
        account_must_exist=has_account and built and path not in CREATES_ACCOUNT,
        max_bytes=limit,
        work=_work_of(path),
        ended=ended,
        at_once=CallsAtOnce(path, AT_ONCE[path]) if path in AT_ONCE else None,
    )


def _work_of(path: str) -> Work:
    if path in AT_ONCE or path in WAITING:
        return Work.WAITING
    return Work.HEAVY if path in HEAVY else Work.SHORT
