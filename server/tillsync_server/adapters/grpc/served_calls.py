"""ServedCalls: the one path of all calls, from gRPC and from Connect.

It authenticates the caller, checks the role, takes a place, reads and checks the request, and converts errors to statuses. So both edges
share each limit. Before the caller has shown a valid token, nothing of the call is counted, read, inflated or parsed, except for open
methods.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

import grpc
from google.protobuf.message import Message

from tillsync_server.adapters.grpc.call_places import CallPlaces, Work
from tillsync_server.adapters.grpc.caller import set_caller
from tillsync_server.adapters.grpc.failures import Failures, Refusal
from tillsync_server.adapters.grpc.methods import CallEnded, Method, UnaryMethod
from tillsync_server.adapters.grpc.unauthenticated_delay import UnauthenticatedDelay
from tillsync_server.application.concurrency.beside_loop import BesideLoop
from tillsync_server.application.use_cases.authentication import Authenticator
from tillsync_server.application.use_cases.known_accounts import KnownAccounts
from tillsync_server.domain.errors import InvalidArgument, PermissionDenied, ResourceExhausted
from tillsync_server.domain.ids import AccountId
from tillsync_server.domain.tokens import Caller

REQUEST_SECONDS = 30.0
"""Time from the headers until the whole request must have arrived. Afterwards the call ends."""
OPEN_REQUEST_SECONDS = 2.0
"""The same time for callers without a token."""

ReadRequest = Callable[[Caller | None], Awaitable[Any]]
"""Reads and parses the request of a known caller; None is the caller of an open method. Raises RequestError, DecodeError."""


LimitHit = Callable[[str, str | None], None]
"""Called for each call that meets a limit, with the reason of the refusal and the method's path. The path is None for a wrong token."""


class CallMetrics(Protocol):
    def of_method(self, method: str) -> CallEnded:
        """Returns the callback for ended calls of a method, such as ``/tillsync.v1.CustomerSyncService/SyncCustomer``. Called once for each
        method, when the server is made."""
        ...


class ServedCalls:
    """Serves the calls of both edges. One per process. ``database_gone``: as in :class:`Failures`."""

    def __init__(
        self,
        authenticator: Authenticator,
        accounts: KnownAccounts,
        metrics: CallMetrics,
        *,
        database_gone: tuple[type[BaseException], ...] = (OSError,),
        places: CallPlaces | None = None,
        limit_hit: LimitHit = lambda _what, _method: None,
    ) -> None:
        self._authenticator = authenticator
        self._accounts = accounts
        self._failures = Failures(database_gone)
        self._places = places or CallPlaces()
        self._unauthenticated_delay = UnauthenticatedDelay()
        self._limit_hit = limit_hit
        self.metrics = metrics
        self.beside_loop = BesideLoop("requests")
        """Parses large requests and writes large answers beside the event loop."""
        self.unary: dict[str, UnaryMethod] = {}
        """Methods with one request and one answer, by path. The gRPC server adds them when it is made."""

    async def answer(self, unary: UnaryMethod, authorization: str, read: ReadRequest, context: Any) -> Message | Refusal:
        """Answers one unary call. ``authorization``: the header's value, empty without one. ``context`` goes to the servicer."""
        method, started, code = unary.method, time.perf_counter(), "OK"
        try:
            if method.is_open:
                with self._places.open_call(context.peer()):
                    return await unary.behaviour(await read(None), context)
            # invariant: strangers-hold-no-place
            caller = await self._caller(method, authorization)
            async with self._places.place(caller.token_id, method.work) as place:
                request = await read(caller)
                await place.turn()
                account_id = await self._check_request(method, caller, request)
                set_caller(caller)
                if method.at_once is None:
                    return await unary.behaviour(request, context)
                with method.at_once.place(account_id, caller.role):
                    return await unary.behaviour(request, context)
        except asyncio.CancelledError:
            code = "CANCELLED"
            raise
        except grpc.aio.AbortError:
            code = context.code().name
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
            refusal = self._refusal_of(error, method)
            code = refusal.code.name
        finally:
            method.ended(code, time.perf_counter() - started)
        return await self._delayed(refusal)

    async def stream(
        self, method: Method, authorization: str, read: ReadRequest | None, behaviour: Callable[[Any], AsyncIterator[Any]], *, peer: str
    ) -> AsyncIterator[Any | Refusal]:
        """Yields the answers of one streaming call; a Refusal is the last one. ``read`` reads the one request; it is None if the caller
        streams too. ``behaviour`` gets the request. ``peer``: the caller's connection."""
        started, code = time.perf_counter(), "OK"
        try:
            async with AsyncExitStack() as places:
                if method.is_open:
                    places.enter_context(self._places.open_call(peer))
                    caller, place = None, None
                else:
                    caller = await self._caller(method, authorization)
                    place = await places.enter_async_context(self._places.place(caller.token_id, Work.WAITING))
                request = None if read is None else await read(caller)
                if place is not None:
                    await place.turn()
                if caller is not None and read is not None:
                    await self._check_request(method, caller, request)
                async for answer in behaviour(request):
                    yield answer
                return
        except (asyncio.CancelledError, GeneratorExit):
            code = "CANCELLED"
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller gets a status
            refusal = self._refusal_of(error, method)
            code = refusal.code.name
        finally:
            method.ended(code, time.perf_counter() - started)
        yield await self._delayed(refusal)

    async def _caller(self, method: Method, authorization: str) -> Caller:
        """Returns the caller, who may call the method. Raises RequestError, and the errors of the token store."""
        caller = self._authenticator.cached(authorization)
        if caller is None:
            caller = await self._authenticator.authenticate(authorization, allow_revoked=method.allows_revoked)
        if method.roles is not None and caller.role not in method.roles:
            what = method.path.rpartition("/")[2]
            raise PermissionDenied(f"a token of role {caller.role.name} may not call {what}", reason="ROLE_NOT_ALLOWED")
        return caller

    async def _check_request(self, method: Method, caller: Caller, request: Any) -> str:
        """Checks the request, and the caller's right to its account. Returns the account's id, empty if the request has none."""
        account_id: str = request.account_id if method.has_account else ""
        if account_id and not caller.may_touch(account_id):
            raise PermissionDenied("this token may not touch that account", reason="FOREIGN_ACCOUNT")
        if method.check is not None and (found := method.check.violations(request)):
            raise InvalidArgument(found)
        if account_id and method.account_must_exist and caller.account_id is None and account_id not in self._accounts:
            await self._accounts.require(AccountId(account_id))
        return account_id

    def _refusal_of(self, error: Exception, method: Method) -> Refusal:
        if isinstance(error, ResourceExhausted):
            self._limit_hit(error.reason, method.path)
        return self._failures.refusal_of(error, method.path)

    async def _delayed(self, refusal: Refusal) -> Refusal:
        if refusal.code is grpc.StatusCode.UNAUTHENTICATED and await self._unauthenticated_delay.wait():
            self._limit_hit("TOO_MANY_WRONG_TOKENS", None)
        return refusal
