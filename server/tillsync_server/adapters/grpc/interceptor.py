"""Around every call: who calls, may they, is the request sound, is there a place for it; and what becomes of an error. One wrapper a
method, made at registration.

Not a ``grpc.aio.ServerInterceptor``: gRPC asks those at every call for a handler, and what is known of a method is known from the start.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import grpc
import grpc.aio
import structlog
from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError

from tillsync_server.adapters.grpc.access import ACCESS, AT_ONCE, CREATES_ACCOUNT
from tillsync_server.adapters.grpc.caller import set_caller
from tillsync_server.adapters.grpc.calls_at_once import CallsAtOnce
from tillsync_server.adapters.grpc.required_fields import MessageCheck, check_of
from tillsync_server.adapters.grpc.servicers.unbuilt import UNBUILT
from tillsync_server.adapters.grpc.status import DETAILS_KEY, code_of, internal_status, status_of
from tillsync_server.application.use_cases.authentication import Authenticator, Caller
from tillsync_server.application.use_cases.known_accounts import KnownAccounts
from tillsync_server.domain.errors import InvalidArgument, PermissionDenied, RequestError, Unauthenticated, Unavailable
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.vocabulary import Role

_LOG = structlog.get_logger(__name__)
_CODES: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}
_NO_TOKEN = "send `authorization: Bearer <token>`"

CallEnded = Callable[[str, float], None]
"""Told how a call ended: the name of its gRPC code ("OK", "NOT_FOUND") and the seconds it took."""


class CallMetrics(Protocol):
    def of_method(self, method: str) -> CallEnded:
        """Asked once for each method, such as ``/tillsync.v1.CustomerSyncService/SyncCustomer``, when the server is made."""
        ...


@dataclass(frozen=True, slots=True)
class _Method:
    name: str
    roles: frozenset[Role] | None
    """None: anybody with a valid token."""
    check: MessageCheck | None
    has_account: bool
    asks_account: bool
    """Whether the account must exist; False also where nothing of the request is looked at (UNBUILT)."""
    ended: CallEnded
    at_once: CallsAtOnce | None = None
    """None: as many as come."""


class Interceptor:
    """``database_gone``: exceptions that mean the database cannot be asked now; such calls end UNAVAILABLE, to be repeated."""

    def __init__(
        self,
        authenticator: Authenticator,
        accounts: KnownAccounts,
        metrics: CallMetrics,
        *,
        database_gone: tuple[type[BaseException], ...] = (OSError,),
    ) -> None:
        self._authenticator = authenticator
        self._accounts = accounts
        self._metrics = metrics
        self._database_gone = database_gone

    def wrap(self, service: str, name: str, handler: Any, roles: frozenset[Role] | None = None) -> Any:
        """``handler`` (a grpc.RpcMethodHandler) behind this interceptor. ``roles``: of services outside the contract."""
        method = self._method(service, name, roles)
        if handler.unary_unary is not None:
            # the message is parsed in the wrapper, so that a malformed one is the caller's INVALID_ARGUMENT and is counted as such
            behaviour = self._unary(method, handler.request_deserializer, handler.unary_unary, handler.response_serializer)
            return grpc.unary_unary_rpc_method_handler(behaviour)
        if handler.unary_stream is not None:
            stream = self._stream(method, handler.unary_stream)
            return grpc.unary_stream_rpc_method_handler(stream, handler.request_deserializer, handler.response_serializer)
        if handler.stream_stream is not None:
            stream = self._stream(method, handler.stream_stream)
            return grpc.stream_stream_rpc_method_handler(stream, handler.request_deserializer, handler.response_serializer)
        raise TypeError(f"{service}/{name}: client streams are not part of the contract")

    def _method(self, service: str, name: str, roles: frozenset[Role] | None) -> _Method:
        path = f"/{service}/{name}"
        ended = self._metrics.of_method(path)
        if path not in ACCESS:
            return _Method(path, roles, None, has_account=False, asks_account=False, ended=ended)
        request = descriptor_pool.Default().FindMethodByName(f"{service}.{name}").input_type
        has_account, built = "account_id" in request.fields_by_name, path not in UNBUILT
        return _Method(
            path,
            ACCESS[path],
            check_of(request) if built else None,
            has_account=has_account,
            asks_account=has_account and built and path not in CREATES_ACCOUNT,
            ended=ended,
            at_once=CallsAtOnce(path, AT_ONCE[path]) if path in AT_ONCE else None,
        )

    def _unary(
        self,
        method: _Method,
        parse: Callable[[bytes], Any],
        behaviour: Callable[[Any, Any], Awaitable[Any]],
        serialize: Callable[[Any], bytes],
    ) -> Callable[[bytes, Any], Awaitable[bytes]]:
        ended, cached, may_call = method.ended, self._authenticator.cached, method.roles
        violations = method.check.violations if method.check is not None else None
        has_account, asks_account, at_once = method.has_account, method.asks_account, method.at_once

        async def call(raw: bytes, context: Any) -> bytes:
            started, code = time.perf_counter(), "OK"
            try:
                authorization = _authorization(context)
                caller = cached(authorization) or await self._authenticator.authenticate(authorization)
                if may_call is not None and caller.role not in may_call:
                    raise _not_allowed(method, caller)
                request = parse(raw)
                account_id = request.account_id if has_account else ""
                if account_id and not caller.may_touch(account_id):
                    raise _foreign()
                if violations is not None and (found := violations(request)):
                    raise InvalidArgument(found)
                if account_id and asks_account and caller.account_id is None and account_id not in self._accounts:
                    await self._accounts.require(AccountId(account_id))
                set_caller(caller)
                if at_once is None:
                    return serialize(await behaviour(request, context))
                with at_once.place(account_id, caller.role):
                    return serialize(await behaviour(request, context))
            except asyncio.CancelledError:
                code = "CANCELLED"
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
                code = self._code(error)
                await self._fail(method, context, error)
            finally:
                ended(code, time.perf_counter() - started)

        return call

    def _stream(self, method: _Method, behaviour: Callable[[Any, Any], Any]) -> Callable[[Any, Any], AsyncIterator[Any]]:
        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            started, code = time.perf_counter(), "OK"
            try:
                caller = await self._authenticator.authenticate(_authorization(context))
                if method.roles is not None and caller.role not in method.roles:
                    raise _not_allowed(method, caller)
                if method.has_account and request.account_id and not caller.may_touch(request.account_id):
                    raise _foreign()
                if method.check is not None and (found := method.check.violations(request)):
                    raise InvalidArgument(found)
                if method.asks_account and request.account_id:
                    await self._accounts.require(request.account_id)
                async for answer in behaviour(request, context):
                    yield answer
            except (asyncio.CancelledError, GeneratorExit):
                code = "CANCELLED"
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
                code = self._code(error)
                await self._fail(method, context, error)
            finally:
                method.ended(code, time.perf_counter() - started)

        return stream

    def _code(self, error: Exception) -> str:
        if isinstance(error, RequestError):
            return code_of(error).name
        if isinstance(error, DecodeError):
            return grpc.StatusCode.INVALID_ARGUMENT.name
        if isinstance(error, self._database_gone):
            return grpc.StatusCode.UNAVAILABLE.name
        return grpc.StatusCode.INTERNAL.name

    async def _fail(self, method: _Method, context: Any, error: Exception) -> NoReturn:
        """End the call with the status of ``error``."""
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if isinstance(error, RequestError):
            status = status_of(error)
        elif isinstance(error, DecodeError):
            status = status_of(InvalidArgument.of("request", "is not a message of this method", reason="MALFORMED_MESSAGE"))
        elif isinstance(error, self._database_gone):
            _LOG.warning("database_unavailable", during=method.name, error=type(error).__name__)
            status = status_of(Unavailable("the database does not answer just now; repeat the call", reason="DATABASE_UNAVAILABLE"))
        else:
            incident = secrets.token_hex(4)
            # without the exception's own text: it may carry values of the request
            stack = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("call_failed", method=method.name, incident=incident, error=type(error).__name__, stack=stack)
            status = internal_status(incident)
        await context.abort(_CODES[status.code], status.message, ((DETAILS_KEY, status.SerializeToString()),))
        raise AssertionError("abort raises")


def _authorization(context: Any) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    raise Unauthenticated(_NO_TOKEN, reason="TOKEN_MISSING")


def _foreign() -> PermissionDenied:
    return PermissionDenied("this token may not touch that account", reason="FOREIGN_ACCOUNT")


def _not_allowed(method: _Method, caller: Caller) -> PermissionDenied:
    what = method.name.rpartition("/")[2]
    return PermissionDenied(f"a token of role {caller.role.name} may not call {what}", reason="ROLE_NOT_ALLOWED")
