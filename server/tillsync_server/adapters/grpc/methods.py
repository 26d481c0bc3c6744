"""What is known of each method before anybody calls it: who may, what a request of it may be, and what work it makes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from tillsync_server.adapters.grpc.access import ACCESS, AT_ONCE, CREATES_ACCOUNT, HEAVY, REVOKED_TOO, WAITING
from tillsync_server.adapters.grpc.call_places import Work
from tillsync_server.adapters.grpc.calls_at_once import CallsAtOnce
from tillsync_server.adapters.grpc.message_limits import MAX_OPEN_REQUEST_BYTES, most_bytes
from tillsync_server.adapters.grpc.request_checks import MessageCheck, check_of
from tillsync_server.adapters.grpc.servicers.unbuilt import UNBUILT
from tillsync_server.domain.enums import Role

CallEnded = Callable[[str, float], None]
"""Told how a call ended: the name of its gRPC code ("OK", "NOT_FOUND") and the seconds it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    path: str
    """``/package.Service/Method``."""
    is_open: bool
    """Anybody may call it, without a token: it is not counted, and its requests are tiny."""
    roles: frozenset[Role] | None
    """None: anybody with a valid token."""
    revoked_too: bool = False
    """A revoked SITE token may call it (``Caller.is_revoked``)."""
    check: MessageCheck | None
    has_account: bool
    asks_account: bool
    """Whether the account must exist; False also where nothing of the request is looked at (UNBUILT)."""
    most_bytes: int
    """Of a request, decompressed."""
    work: Work
    ended: CallEnded
    at_once: CallsAtOnce | None = None
    """None: as many as come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaryMethod:
    """A method with one request and one answer, as both edges call it."""

    of: Method
    parse: Callable[[bytes], Any]
    """Of the binary form. DecodeError."""
    behaviour: Callable[[Any, Any], Awaitable[Message]]
    serialize: Callable[[Any], bytes]


def method_of(service: str, name: str, ended: CallEnded, *, roles: frozenset[Role] | None = None, is_open: bool = False) -> Method:
    """``roles``: of services outside the contract, which are not checked further."""
    path = f"/{service}/{name}"
    limit = MAX_OPEN_REQUEST_BYTES if is_open else most_bytes(path)
    if path not in ACCESS:
        return Method(
            path=path,
            is_open=is_open,
            roles=roles,
            check=None,
            has_account=False,
            asks_account=False,
            most_bytes=limit,
            work=Work.SHORT,
            ended=ended,
        )
    request = descriptor_pool.Default().FindMethodByName(f"{service}.{name}").input_type
    has_account, built = "account_id" in request.fields_by_name, path not in UNBUILT
    return Method(
        path=path,
        is_open=False,
        roles=ACCESS[path],
        revoked_too=path in REVOKED_TOO,
        check=check_of(request) if built else None,
        has_account=has_account,
        asks_account=has_account and built and path not in CREATES_ACCOUNT,
        most_bytes=limit,
        work=_work_of(path),
        ended=ended,
        at_once=CallsAtOnce(path, AT_ONCE[path]) if path in AT_ONCE else None,
    )


def _work_of(path: str) -> Work:
    if path in AT_ONCE or path in WAITING:
        return Work.WAITING
    return Work.HEAVY if path in HEAVY else Work.SHORT
