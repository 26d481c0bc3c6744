"""gRPC handlers of our methods. They connect gRPC's side of a call to the one path of calls.

On the wire a unary call and a stream of one message are the same. gRPC reads a unary request before it calls the handler, but reads the
messages of a stream on demand. So each method is handed to gRPC as a streaming one, and the caller is known before the request is read.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio

from tillsync_server.adapters.grpc.failures import Refusal
from tillsync_server.adapters.grpc.methods import Method, UnaryMethod
from tillsync_server.adapters.grpc.request_deadlines import RequestDeadlines
from tillsync_server.adapters.grpc.served_calls import OPEN_REQUEST_SECONDS, REQUEST_SECONDS, ServedCalls
from tillsync_server.adapters.grpc.status import DETAILS_KEY, retry_seconds
from tillsync_server.domain.errors import InvalidArgument
from tillsync_server.domain.tokens import Caller

Parse = Callable[[bytes], Any]
_BIG_BYTES = 256 * 1024
"""Requests of at least this size are parsed in a thread, because the event loop also renews the leases of lanes."""
_PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""Trailer with gRPC's own retry delay (gRPC proposal A6)."""
_LONGEST_PUSHBACK_SECONDS, _SECONDS_OF_A_CALL = 5.0, 1.0


class GrpcHandlers:
    """Makes the handlers. One per server."""

    def __init__(self, calls: ServedCalls) -> None:
        self._calls = calls
        self._deadlines = RequestDeadlines()

    def unary(self, unary: UnaryMethod) -> Any:
        """Returns the handler of a method with one request and one answer."""
        answer, reader, serialize = self._calls.answer, self._reader(unary.method, unary.parse), unary.serialize

        async def call(requests: Any, context: Any) -> bytes:
            answered = await answer(unary, _authorization(context), reader(context), context)
            if isinstance(answered, Refusal):
                aborting = _abort(context, answered)
                del context, requests
                await aborting
            return b"" if answered is None else serialize(answered)  # None: a servicer of gRPC's own packages has set a code

        return grpc.stream_unary_rpc_method_handler(call)

    def stream(self, method: Method, handler: Any) -> Any:
        """Returns the handler of a method that streams answers, and perhaps requests. ``handler``: the servicer's own."""
        parse, serialize = handler.request_deserializer, handler.response_serializer
        behaviour = _streaming(handler.unary_stream or handler.stream_stream, serialize)
        streams_requests, reader = handler.unary_stream is None, self._reader(method, parse)

        async def stream(requests: Any, context: Any) -> AsyncIterator[bytes]:
            read = None if streams_requests else reader(context)

            def answers_to(request: Any) -> AsyncIterator[Any]:
                return behaviour(self._requests(method, parse, context) if streams_requests else request, context)

            async for answer in self._calls.stream(method, _authorization(context), read, answers_to, peer=context.peer()):
                if isinstance(answer, Refusal):
                    aborting = _abort(context, answer)
                    del context, requests
                    await aborting
                yield serialize(answer)

        return grpc.stream_stream_rpc_method_handler(stream)

    def _reader(self, method: Method, parse: Parse) -> Callable[[Any], Callable[[Caller | None], Awaitable[Any]]]:
        def of_call(context: Any) -> Callable[[Caller | None], Awaitable[Any]]:
            async def read(caller: Caller | None) -> Any:
                raw = await self._first_message(context, OPEN_REQUEST_SECONDS if caller is None else REQUEST_SECONDS)
                if raw is grpc.aio.EOF:
                    raise InvalidArgument.of("request", "did not come: the call ended without a message", reason="NO_MESSAGE")
                return await self._parse_request(method, parse, raw)

            return read

        return of_call

    async def _first_message(self, context: Any, seconds: float) -> Any:
        """Returns the raw message, or EOF. Raises InvalidArgument after ``seconds``."""
        try:
            return await self._deadlines.within(seconds, context.read())
        except TimeoutError:
            raise too_slow(seconds) from None

    async def _requests(self, method: Method, parse: Parse, context: Any) -> AsyncIterator[Any]:
        raw = await self._first_message(context, REQUEST_SECONDS)
        while raw is not grpc.aio.EOF:
            yield await self._parse_request(method, parse, raw)
            raw = await context.read()

    async def _parse_request(self, method: Method, parse: Parse, raw: bytes) -> Any:
        if len(raw) > method.max_bytes:
            raise too_large(method.max_bytes)
        if len(raw) < _BIG_BYTES:
            return parse(raw)
        return await self._calls.beside_loop.run(parse, raw)


class _WritingContext:
    """Context for servicers that write their answers instead of yielding them."""

    def __init__(self, context: Any, serialize: Callable[[Any], bytes]) -> None:
        self._context = context
        self._serialize = serialize

    async def write(self, answer: Any) -> None:
        await self._context.write(self._serialize(answer))


def _streaming(behaviour: Callable[..., Any], serialize: Callable[[Any], bytes]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """Returns ``behaviour`` as an asynchronous generator. A behaviour that writes its answers to the context yields nothing."""
    if not inspect.iscoroutinefunction(behaviour):
        return behaviour

    async def written(request: Any, context: Any) -> AsyncIterator[Any]:
        await behaviour(request, _WritingContext(context, serialize))
        nothing: tuple[Any, ...] = ()
        for answer in nothing:
            yield answer

    return written


def too_large(max_bytes: int) -> InvalidArgument:
    """Returns the error of a request that has more than ``max_bytes``."""
    text = f"must have at most {max_bytes} bytes; send its items in several calls"
    return InvalidArgument.of("request", text, reason="REQUEST_TOO_LARGE")


def too_slow(seconds: float) -> InvalidArgument:
    """Returns the error of a request that has not arrived after ``seconds``."""
    return InvalidArgument.of("request", f"did not arrive within {seconds:g} s; send it again", reason="REQUEST_TOO_SLOW")


def _authorization(context: Any) -> str:
    """Returns the authorization header, empty if the caller sent none."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    return ""


def _abort(context: Any, refusal: Refusal) -> Awaitable[NoReturn]:
    """Returns an awaitable that ends the call by an exception, which gRPC keeps with the call. The exception's traceback keeps the frame
    that awaits. If that frame refers to the call, only the garbage collector frees both."""
    status = refusal.status
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if (seconds := retry_seconds(status.details)) is not None:
        # clients with automatic retries obey the delay; -1 forbids a retry that would outlast the call, so its caller gets the error
        left = context.time_remaining()
        may_retry = seconds <= _LONGEST_PUSHBACK_SECONDS and (left is None or seconds + _SECONDS_OF_A_CALL <= left)
        trailers.append((_PUSHBACK_KEY, str(round(seconds * 1000)) if may_retry else "-1"))
    aborting: Awaitable[NoReturn] = context.abort(refusal.code, status.message, tuple(trailers))
    return aborting
