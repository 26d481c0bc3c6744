"""A gRPC server with scripted answers, for tests of the typed clients. It has no service behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, status_pb2
from grpc_status import rpc_status
from tillsync.v1 import account_service_pb2, customer_sync_service_pb2, link_service_pb2, queue_service_pb2
from tillsync_client import TillsyncClient


@dataclass
class ScriptedServer:
    """Answers each method with the next item of its script, which is a message or a callable that aborts."""

    script: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    metadata: list[dict[str, str]] = field(default_factory=list)
    pushback: dict[str, str] = field(default_factory=dict)
    """Retry delay of a method's refusals, in milliseconds."""
    address: str = ""

    def answers(self, method: str, *answers: Any) -> None:
        self.script[method] = list(answers)

    def count(self, method: str) -> int:
        return sum(name == method for name, _ in self.requests)


def status_error(code: int, message: str, *details: Any) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, server: ScriptedServer) -> None:
        self._server = server

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any]:
        method = details.method.rpartition("/")[2]
        modules = (customer_sync_service_pb2, queue_service_pb2, account_service_pb2, link_service_pb2)
        request_type = next(getattr(module, f"{method}Request") for module in modules if hasattr(module, f"{method}Request"))

        async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            self._server.requests.append((method, request))
            self._server.metadata.append({key: str(value) for key, value in context.invocation_metadata() or ()})
            script = self._server.script[method]
            answer = script.pop(0) if len(script) > 1 else script[0]
            if isinstance(answer, status_pb2.Status):
                status, pushback = rpc_status.to_status(answer), self._server.pushback.get(method)
                more = () if pushback is None else (("grpc-retry-pushback-ms", pushback),)
                await context.abort(status.code, status.details, (*status.trailing_metadata, *more))
            if answer is asyncio.sleep:
                await asyncio.Event().wait()
            return answer

        return grpc.unary_unary_rpc_method_handler(
            serve, request_deserializer=request_type.FromString, response_serializer=lambda message: message.SerializeToString()
        )


@asynccontextmanager
async def scripted(**client_settings: Any) -> AsyncIterator[tuple[ScriptedServer, TillsyncClient]]:
    scripted_server = ScriptedServer()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((_Handler(scripted_server),))
    scripted_server.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    try:
        async with TillsyncClient(scripted_server.address, "tls_secret", **client_settings) as client:
            yield scripted_server, client
    finally:
        await server.stop(None)


UNAVAILABLE = status_error(code_pb2.UNAVAILABLE, "the database is away")
