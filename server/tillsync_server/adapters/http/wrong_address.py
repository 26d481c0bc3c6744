"""Answers requests for an unknown path, with a method that the path does not allow, or for the gRPC port, with one sentence each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from tillsync_server.adapters.http.wrong_protocol import GRPC_PLACE, HTTP_PORT, OPERATIONS_PORT

_PLACES = (
    f"Connect calls (POST /tillsync.v1.<Service>/<Method>) and webhooks (POST /webhooks/eposnow/till/<till_id>) are at {HTTP_PORT}, "
    f"metrics at {OPERATIONS_PORT}; see that a proxy before it leaves the path as it is"
)
_FOR_GRPC = f"this is tillsync's HTTP port, which takes Connect calls as application/json or application/proto: {GRPC_PLACE}"
_UNIMPLEMENTED = "12"


@web.middleware
async def explain_wrong_addresses(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    if request.content_type.startswith("application/grpc"):  # gRPC-Web, or a proxy that converts gRPC to HTTP/1.1
        headers = {"grpc-status": _UNIMPLEMENTED, "grpc-message": _FOR_GRPC, "Accept-Post": "application/json, application/proto"}
        return web.Response(status=415, text=f"{_FOR_GRPC}\n", headers=headers)
    match request.match_info.http_exception:
        case web.HTTPMethodNotAllowed(allowed_methods=allowed):
            named = ", ".join(sorted(allowed))
            return web.Response(status=405, text=f"this path takes {named} only\n", headers={"Allow": named})
        case web.HTTPNotFound():
            return web.Response(status=404, text=f"nothing is served at this path: {_PLACES}\n")
        case _:
            return await handler(request)
