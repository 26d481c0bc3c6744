"""Echo server for comparison: a grpc.aio server with the service's options that only returns the request."""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from benchmarks.child import say_ready, stdin_ended
from tillsync.v1 import customer_sync_service_pb2 as pb
from tillsync_server.adapters.grpc.message_limits import MAX_RECEIVED_BYTES

PATH = "/echo.Echo/Echo"


async def serve() -> dict[str, Any]:
    """Prints its port, and runs until stdin ends. The options are those of `adapters/grpc/server.py`."""

    async def echo(request: pb.SyncCustomerRequest, _context: Any) -> pb.SyncCustomerRequest:
        return request

    server = grpc.aio.server(
        options=(
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MAX_RECEIVED_BYTES),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ),
    )
    handler = grpc.unary_unary_rpc_method_handler(echo, pb.SyncCustomerRequest.FromString, pb.SyncCustomerRequest.SerializeToString)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("echo.Echo", {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    say_ready(port)
    await stdin_ended()
    await server.stop(0)
    return {}
