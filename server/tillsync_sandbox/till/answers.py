"""The till's answers: data in the requested content type, plain sentences for errors, HTML for addresses outside the API."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from tillsync_sandbox.till.rows import as_xml


class TillError(Exception):
    """An error answer of the till: a plain sentence, or CRLF-separated lines."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = dict(headers or {})

    def response(self) -> web.Response:
        headers = {"Content-Type": "text/plain; charset=utf-8", **self.headers}
        return web.Response(status=self.status, body=self.text.encode("utf-8", "replace"), headers=headers)


def wants_json(request: web.Request) -> bool:
    """Whether the answer is JSON, else XML. ``Content-Type`` selects it, also on GET; without one ``Accept`` does."""
    chosen = request.headers.get("Content-Type") or request.headers.get("Accept") or ""
    return "json" in chosen.lower()


def data(request: web.Request, text: str, element: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    if wants_json(request):
        body, kind = text, "application/json; charset=utf-8"
    else:
        body, kind = as_xml(text, element), "application/xml; charset=utf-8"
    return web.Response(status=status, body=body.encode("utf-8", "replace"), headers={"Content-Type": kind, **(headers or {})})


def html(status: int, title: str) -> web.Response:
    page = f"<!DOCTYPE html>\r\n<html><head><title>{title}</title></head><body><h2>{title}</h2></body></html>\r\n"
    return web.Response(status=status, body=page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def unknown_address() -> web.Response:
    return html(404, "404 - File or directory not found.")
