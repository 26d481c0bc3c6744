"""The one path of a call, whichever edge brings it (gRPC, Connect): who calls, may they, is there a place, is the request sound; and what
becomes of an error. Each limit is written here once.

Until the caller has shown a valid token nothing of the call is counted, read, inflated or parsed.
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
"""Within so long after its headers a request is there whole, or its call ends."""
OPEN_REQUEST_SECONDS = 2.0
"""The same, of callers without a token."""

ReadRequest = Callable[[Caller | None], Awaitable[Any]]
"""Reads and parses the request, once its caller is known (None: an open method's). RequestError, DecodeError."""


LimitHit = Callable[[str, str | None], None]
"""Told of each call that met a limit: the reason of the refusal, and the method."""


class CallMetrics(Protocol):
    def of_method(self, method: str) -> CallEnded:
        """Asked once for each method, such as ``/tillsync.v1.CustomerSyncService/SyncCustomer``, when the server is made."""
        ...


class ServedCalls:
    """One per process; both edges call it. ``database_gone``: as in :class:`Failures`."""

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
        """Where large requests are parsed, and large answers written."""
        self.unary: dict[str, UnaryMethod] = {}
        """By path: all that have one request and one answer. Filled as the gRPC server is made."""

    async def answer(self, unary: UnaryMethod, authorization: str, read: ReadRequest, context: Any) -> Message | Refusal:
        """Of one call of such a method. ``authorization``: the header's value, empty without one. ``context``: for the servicer."""
        method, started, code = unary.of, time.perf_counter(), "OK"
        try:
            if method.is_open:
                with self._places.open_call(context.peer()):
                    return await unary.behaviour(await read(None), context)
            # invariant: strangers-hold-no-place
            caller = await self._caller(method, authorization)
            async with self._places.place(caller.token_id, method.work) as place:
                request = await read(caller)
                await place.turn()
                account_id = await self._checked(method, caller, request)
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
        return await self._held(refusal)

    async def stream(
        self, method: Method, authorization: str, read: ReadRequest | None, behaviour: Callable[[Any], AsyncIterator[Any]], *, peer: str
    ) -> AsyncIterator[Any | Refusal]:
        """The answers of one call; a Refusal is the last. ``read``: the one request, None where the caller streams too. ``behaviour`` is
        given the request. ``peer``: the connection."""
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
                    await self._checked(method, caller, request)
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
        yield await self._held(refusal)

    async def _caller(self, method: Method, authorization: str) -> Caller:
        """Who may call it. RequestError; what the store of tokens raises."""
        caller = self._authenticator.cached(authorization)
        if caller is None:
            caller = await self._authenticator.authenticate(authorization, revoked_too=method.revoked_too)
        if method.roles is not None and caller.role not in method.roles:
            what = method.path.rpartition("/")[2]
            raise PermissionDenied(f"a token of role {caller.role.name} may not call {what}", reason="ROLE_NOT_ALLOWED")
        return caller

    async def _checked(self, method: Method, caller: Caller, request: Any) -> str:
        """The account's id, empty where the request has none."""
        account_id: str = request.account_id if method.has_account else ""
        if account_id and not caller.may_touch(account_id):
            raise PermissionDenied("this token may not touch that account", reason="FOREIGN_ACCOUNT")
        if method.check is not None and (found := method.check.violations(request)):
            raise InvalidArgument(found)
        if account_id and method.asks_account and caller.account_id is None and account_id not in self._accounts:
            await self._accounts.require(AccountId(account_id))
        return account_id

    def _refusal_of(self, error: Exception, method: Method) -> Refusal:
        if isinstance(error, ResourceExhausted):
            self._limit_hit(error.reason, method.path)
        return self._failures.refusal_of(error, method.path)

    async def _held(self, refusal: Refusal) -> Refusal:
        if refusal.code is grpc.StatusCode.UNAUTHENTICATED and await self._unauthenticated_delay.wait():
            self._limit_hit("TOO_MANY_WRONG_TOKENS", None)
        return refusal
