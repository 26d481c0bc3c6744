"""Our methods as gRPC's handlers: what is gRPC's own of a call, around the one path of calls.

On the wire a unary call and a stream of one message are the same. gRPC reads a unary request before it asks anybody, and a stream's
messages when they are asked for. So each method is handed to gRPC as one that streams: who calls is known before the request is read.
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
"""From this size a request is parsed in a thread: the event loop also renews the leases of lanes."""
_PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""gRPC's own RetryInfo (its proposal A6)."""
_LONGEST_PUSHBACK_SECONDS, _SECONDS_OF_A_CALL = 5.0, 1.0


class GrpcHandlers:
    """Makes them. One per server."""

    def __init__(self, calls: ServedCalls) -> None:
        self._calls = calls
        self._deadlines = RequestDeadlines()

    def unary(self, unary: UnaryMethod) -> Any:
        """Of a method with one request and one answer."""
        answer, reader, serialize = self._calls.answer, self._reader(unary.of, unary.parse), unary.serialize

        async def call(requests: Any, context: Any) -> bytes:
            answered = await answer(unary, _authorization(context), reader(context), context)
            if isinstance(answered, Refusal):
                aborting = _abort(context, answered)
                del context, requests
                await aborting
            return b"" if answered is None else serialize(answered)  # None: a servicer of gRPC's own has set a code

        return grpc.stream_unary_rpc_method_handler(call)

    def stream(self, method: Method, handler: Any) -> Any:
        """``handler``: the servicer's own, of a method that streams answers, and maybe requests."""
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
                return await self._parsed(method, parse, raw)

            return read

        return of_call

    async def _first_message(self, context: Any, seconds: float) -> Any:
        """The raw message, or EOF."""
        try:
            return await self._deadlines.within(seconds, context.read())
        except TimeoutError:
            raise too_slow(seconds) from None

    async def _requests(self, method: Method, parse: Parse, context: Any) -> AsyncIterator[Any]:
        raw = await self._first_message(context, REQUEST_SECONDS)
        while raw is not grpc.aio.EOF:
            yield await self._parsed(method, parse, raw)
            raw = await context.read()

    async def _parsed(self, method: Method, parse: Parse, raw: bytes) -> Any:
        if len(raw) > method.most_bytes:
            raise too_large(method.most_bytes)
        if len(raw) < _BIG_BYTES:
            return parse(raw)
        return await self._calls.beside_loop.run(parse, raw)


class _Writing:
    """A context for servicers that write their answers instead of yielding them."""

    def __init__(self, context: Any, serialize: Callable[[Any], bytes]) -> None:
        self._context = context
        self._serialize = serialize

    async def write(self, answer: Any) -> None:
        await self._context.write(self._serialize(answer))


def _streaming(behaviour: Callable[..., Any], serialize: Callable[[Any], bytes]) -> Callable[[Any, Any], AsyncIterator[Any]]:
    """``behaviour`` as one that yields its answers."""
    if not inspect.iscoroutinefunction(behaviour):
        return behaviour

    async def written(request: Any, context: Any) -> AsyncIterator[Any]:
        await behaviour(request, _Writing(context, serialize))
        nothing: tuple[Any, ...] = ()
        for answer in nothing:
            yield answer

    return written


def too_large(most_bytes: int) -> InvalidArgument:
    """Of a request."""
    text = f"must have at most {most_bytes} bytes; send its items in several calls"
    return InvalidArgument.of("request", text, reason="REQUEST_TOO_LARGE")


def too_slow(seconds: float) -> InvalidArgument:
    """Of a request."""
    return InvalidArgument.of("request", f"did not arrive within {seconds:g} s; send it again", reason="REQUEST_TOO_SLOW")


def _authorization(context: Any) -> str:
    """Empty: the caller sent none."""
    for key, value in context.invocation_metadata() or ():
        if key == "authorization":
            return value if isinstance(value, str) else value.decode("latin-1")
    return ""


def _abort(context: Any, refusal: Refusal) -> Awaitable[NoReturn]:
    """Ends the call once it is awaited, by an exception that gRPC keeps with the call. The exception's traceback keeps the frame that
    awaits: where that frame leads back to the call, only the garbage collector ends both."""
    status = refusal.status
    trailers: list[tuple[str, str | bytes]] = [(DETAILS_KEY, status.SerializeToString())]
    if (seconds := retry_seconds(status.details)) is not None:
        # clients that repeat calls by themselves obey it; where that would outlast the call, its caller is told instead
        left = context.time_remaining()
        again = seconds <= _LONGEST_PUSHBACK_SECONDS and (left is None or seconds + _SECONDS_OF_A_CALL <= left)
        trailers.append((_PUSHBACK_KEY, str(round(seconds * 1000)) if again else "-1"))
    aborting: Awaitable[NoReturn] = context.abort(refusal.code, status.message, tuple(trailers))
    return aborting
