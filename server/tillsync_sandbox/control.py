"""The control API of both sandboxes: ``/sandbox/requests`` and ``/sandbox/faults``.

GET    /sandbox/requests?method=POST&path=/api/*&contains=text&after=12&at_least=3&wait_seconds=5
DELETE /sandbox/requests
GET    /sandbox/faults
POST   /sandbox/faults            {"method":"POST","path":"/api/v2/customer*","times":1,"skip":0,"disconnect":"after"}
                                  {"path":"*","times":null,"page":"siteground_202"}: one of :class:`Page`
POST   /sandbox/faults/{id}/release
DELETE /sandbox/faults/{id}       and without an id: all
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from aiohttp import web

from tillsync_sandbox.faults import Faults
from tillsync_sandbox.pages import Page
from tillsync_sandbox.request_log import LoggedRequest, RequestLog

MAX_WAIT_SECONDS = 60.0
_FAULT_FIELDS: dict[str, tuple[type, ...]] = {
    "method": (str,),
    "path": (str,),
    "contains": (str,),
    "query": (dict,),
    "times": (int, type(None)),
    "skip": (int,),
    "delay_seconds": (int, float),
    "hang": (str,),
    "disconnect": (str,),
    "status": (int,),
    "body": (str,),
    "content_type": (str,),
    "headers": (dict,),
    "carry_out": (bool,),
    "printed_before": (str,),
    "page": (str,),
    "truncate": (bool,),
}


class ControlRoutes:
    def __init__(self, log: RequestLog, faults: Faults) -> None:
        self._log = log
        self._faults = faults

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/requests", self._list_requests),
            web.delete("/sandbox/requests", self._clear_requests),
            web.get("/sandbox/faults", self._list_faults),
            web.post("/sandbox/faults", self._add_fault),
            web.delete("/sandbox/faults", self._cancel_all),
            web.post("/sandbox/faults/{script_id:[0-9]+}/release", self._release),
            web.delete("/sandbox/faults/{script_id:[0-9]+}", self._cancel),
        ]

    async def _list_requests(self, request: web.Request) -> web.Response:
        """Waits up to ``wait_seconds`` for ``at_least`` matching requests, then answers all matching requests."""
        query = request.query
        try:
            after = read_number(query, "after", int, 0)
            at_least = read_number(query, "at_least", int, 0)
            seconds = min(read_number(query, "wait_seconds", float, 0.0), MAX_WAIT_SECONDS)
        except ValueError as error:
            return bad_request(error)

        def later(logged: LoggedRequest) -> bool:
            return logged.number > after

        fields: dict[str, Any] = {name: query[name] for name in ("method", "path", "contains") if name in query}
        try:
            found = await self._log.wait_for(at_least, timeout=seconds, where=later, **fields)
        except TimeoutError:
            found = self._log.matching(where=later, **fields)
        return web.json_response({"total": self._log.total, "requests": [logged.as_json() for logged in found]})

    async def _clear_requests(self, request: web.Request) -> web.Response:
        self._log.clear()
        return web.json_response({})

    async def _list_faults(self, request: web.Request) -> web.Response:
        return web.json_response({"faults": [script.as_json() for script in self._faults.scripts]})

    async def _add_fault(self, request: web.Request) -> web.Response:
        try:
            fields = await read_json_object(request)
            for name, value in fields.items():
                if name not in _FAULT_FIELDS:
                    raise ValueError(f"{name}: no such field; there are {', '.join(_FAULT_FIELDS)}")
                fits = isinstance(value, _FAULT_FIELDS[name]) and (not isinstance(value, bool) or bool in _FAULT_FIELDS[name])
                if not fits:
                    raise ValueError(f"{name}: {value!r} is of the wrong type")
            if (page := fields.pop("page", None)) is not None:
                fields = {**Page(page).fault, **fields}
            script = self._faults.script(**fields)
        except ValueError as error:
            return bad_request(error)
        return web.json_response(script.as_json(), status=201)

    async def _release(self, request: web.Request) -> web.Response:
        script = self._faults.find(int(request.match_info["script_id"]))
        if script is None:
            return not_found("fault")
        script.release()
        return web.json_response(script.as_json())

    async def _cancel(self, request: web.Request) -> web.Response:
        script = self._faults.find(int(request.match_info["script_id"]))
        if script is None:
            return not_found("fault")
        script.cancel()
        return web.json_response(script.as_json())

    async def _cancel_all(self, request: web.Request) -> web.Response:
        self._faults.clear()
        return web.json_response({})


async def read_json_object(request: web.Request) -> dict[str, Any]:
    """Reads a JSON object from a request body. Raises ValueError with the reason."""
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise ValueError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise ValueError("the body is not a JSON object")
    return body


def bad_request(error: ValueError) -> web.Response:
    return web.json_response({"error": str(error)}, status=400)


def not_found(what: str) -> web.Response:
    return web.json_response({"error": f"no such {what}"}, status=404)


_Number = TypeVar("_Number", int, float)


def read_number(query: Mapping[str, str], name: str, kind: Callable[[str], _Number], default: _Number) -> _Number:
    """Reads a number from 0. Raises ValueError, which names the parameter."""
    try:
        value = kind(query[name]) if name in query else default
    except ValueError:
        raise ValueError(f"{name}: a number, not {query[name]!r}") from None
    if not value >= 0:
        raise ValueError(f"{name}: from 0, not {query[name]!r}")
    return value
