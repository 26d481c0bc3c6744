"""The common part of WordPress's REST server: addresses, method override, JSON bodies, error bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from aiohttp import web

from tillsync_sandbox.shop.switches import Permalinks

_PREFIX = "wp-json"


class RestError(Exception):
    """A ``WP_Error`` answer. ``data`` contains at least ``status``."""

    def __init__(self, status: int, code: str, message: str, **data: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.data: dict[str, object] = {"status": status, **data}

    @property
    def body(self) -> dict[str, object]:
        return {"code": self.code, "message": self.message, "data": self.data}

    def response(self) -> web.Response:
        return json_response(self.body, status=self.status)


def no_route() -> RestError:
    return RestError(404, "rest_no_route", "No route was found matching the URL and request method.")


def rest_forbidden(message: str = "Sorry, you are not allowed to do that.") -> RestError:
    return RestError(401, "rest_forbidden", message)


class CriticalError(RestError):
    """A PHP fatal error, for example a TypeError for an item that is no object. It ends the request, and earlier writes stay."""

    def __init__(self) -> None:
        super().__init__(
            500,
            "internal_server_error",
            "<p>There has been a critical error on this website.</p>"
            '<p><a href="https://wordpress.org/documentation/article/faq-troubleshooting/">'
            "Learn more about troubleshooting WordPress.</a></p>",
        )


def missing_params(*names: str) -> RestError:
    return RestError(400, "rest_missing_callback_param", f"Missing parameter(s): {', '.join(names)}", params=list(names))


def invalid_params(params: Mapping[str, str]) -> RestError:
    """``params`` has the problem of each parameter by name."""
    details = {name: {"code": "rest_invalid_param", "message": message, "data": None} for name, message in params.items()}
    return RestError(400, "rest_invalid_param", f"Invalid parameter(s): {', '.join(params)}", params=dict(params), details=details)


def json_response(body: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    # PHP's json_encode escapes slashes and non-ASCII characters. This finds clients that compare texts without parsing.
    text = json.dumps(body, separators=(",", ":")).replace("/", "\\/")
    return web.Response(
        status=status,
        body=text.encode(),
        headers={"Content-Type": "application/json; charset=UTF-8", "X-Robots-Tag": "noindex", **(headers or {})},
    )


def html_response(status: int, title: str, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    page = f'<!DOCTYPE html>\n<html lang="en-GB"><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p></body></html>\n'
    return web.Response(status=status, body=page.encode(), headers={"Content-Type": "text/html; charset=UTF-8", **(headers or {})})


def page_not_found() -> web.Response:
    return html_response(HTTPStatus.NOT_FOUND, "Page not found", "It looks like nothing was found at this location.")


@dataclass(slots=True)
class RestRequest:
    """A request with the properties of ``WP_REST_Request``."""

    method: str
    """The effective method. ``X-HTTP-Method-Override`` or ``_method`` override the request line."""
    sent_method: str
    route: str
    """The result of ``get_route()``: ``/wc/v3/customers/12``, without query and trailing slash."""
    path: str
    """The requested path, percent-encoded."""
    query_string: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    host: str
    _json: Any = field(default=None)
    _parsed: bool = field(default=False)

    @property
    def keys_are_recognised(self) -> bool:
        """Whether WooCommerce reads consumer keys. It looks for ``wp-json/wc`` in the address, so it reads none on ``?rest_route=``."""
        uri = f"{self.path}?{self.query_string}"
        return f"{_PREFIX}/wc/" in uri or f"{_PREFIX}/wc-" in uri

    def json(self) -> dict[str, Any]:
        """Returns the JSON parameters. As in WordPress, a body without a JSON content type has none.

        Raises RestError ``rest_invalid_json``.
        """
        if not self._parsed:
            self._json = self._parse()
            self._parsed = True
        return self._json if isinstance(self._json, dict) else {}

    def _parse(self) -> Any:
        media_type = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if media_type != "application/json" and not media_type.endswith("+json"):
            return {}
        if not self.body:
            return {}
        try:
            return json.loads(self.body, parse_constant=_refuse_constant)
        except ValueError:
            raise RestError(
                400, "rest_invalid_json", "Invalid JSON body passed.", json_error_code=4, json_error_message="Syntax error"
            ) from None


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def rest_request(request: web.Request, body: bytes, permalinks: Permalinks) -> RestRequest | None:
    """Returns the REST request, or None when the address does not lead to the REST API."""
    route = _route(request, permalinks)
    if route is None:
        return None
    override = request.query.get("_method") or request.headers.get("X-HTTP-Method-Override") or request.method
    return RestRequest(
        method=override.upper(),
        sent_method=request.method,
        route=route.rstrip("/") or "/",
        path=request.rel_url.raw_path,
        query_string=request.rel_url.raw_query_string,
        query=dict(request.query),
        headers=request.headers,
        body=body,
        host=request.host,
    )


def _route(request: web.Request, permalinks: Permalinks) -> str | None:
    if request.path in ("/", "/index.php") and "rest_route" in request.query:
        return request.query["rest_route"] or "/"
    path = request.path.removeprefix("/index.php")
    if permalinks is Permalinks.PLAIN_REWRITTEN or (path == request.path and permalinks is Permalinks.PLAIN):
        return None
    if path == f"/{_PREFIX}" or path.startswith(f"/{_PREFIX}/"):
        return path.removeprefix(f"/{_PREFIX}") or "/"
    return None


def keep_fields(body: object, fields: str) -> object:
    """Applies ``_fields`` to an answer as WordPress does: only the named keys stay.

    The keys of a batch's answer are ``create``, ``update`` and ``delete``. Other names leave an empty answer and hide the errors of items.
    """
    names = [name.strip() for name in fields.split(",") if name.strip()]
    if not names:
        return body
    tree: dict[str, Any] = {}
    for name in names:
        level = tree
        parts = name.split(".")
        for part in parts[:-1]:
            below = level.get(part)
            if below is True:
                break
            level = level.setdefault(part, {})
        else:
            level[parts[-1]] = True
    if isinstance(body, list):
        return [_intersect(item, tree) for item in body]
    return _intersect(body, tree)


def _intersect(value: object, tree: dict[str, Any]) -> object:
    if isinstance(value, list):
        return [_intersect_below(item, tree[str(index)]) for index, item in enumerate(value) if str(index) in tree]
    if isinstance(value, dict):
        selected = {key: _intersect_below(item, tree[key]) for key, item in value.items() if key in tree}
        return selected or []  # PHP encodes an empty array as a JSON list.
    return value


def _intersect_below(value: object, tree: Any) -> object:
    return value if tree is True else _intersect(value, tree)
