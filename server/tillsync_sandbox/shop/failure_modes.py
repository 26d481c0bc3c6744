"""Answers of a site with a failure outside WooCommerce (:class:`FailureMode`)."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from tillsync_sandbox.shop.rest import CriticalError, RestError, html_response, page_not_found, rest_forbidden
from tillsync_sandbox.shop.switches import FailureMode, ShopSwitches, StrayOutput

PHP_NOTICE = (
    b"<br />\n<b>Notice</b>:  Undefined index: loyalty in "
    b"<b>/var/www/html/wp-content/plugins/loyal-friends/loyal-friends.php</b> on line <b>42</b><br />\n"
)


def firewall_page() -> web.Response:
    return html_response(403, "403 Forbidden", "Your request was blocked by our web application firewall. Incident 4711-sandbox.")


def failure_answer(switches: ShopSwitches, path_qs: str) -> web.Response | None:
    """Returns the answer that replaces the REST API's, or None when the request runs. ``path_qs`` is the requested path and query."""
    if switches.trouble is None or switches.trouble is FailureMode.HEADER_STRIPPED:
        return None
    if switches.trouble in _MOVES:
        return _moved(_MOVES[switches.trouble], switches.moved_to + path_qs)
    return _PAGES[switches.trouble](switches)


def _maintenance(switches: ShopSwitches) -> web.Response:
    text = "Briefly unavailable for scheduled maintenance. Check back in a minute."
    return html_response(503, "Maintenance", text, {"Retry-After": str(switches.retry_after_seconds)})


def _challenge() -> web.Response:
    page = "<noscript>Enable JavaScript and cookies to continue</noscript>"
    return html_response(403, "Just a moment...", page, {"Server": "cloudflare", "cf-mitigated": "challenge"})


_MOVES = {FailureMode.MOVED_301: 301, FailureMode.MOVED_302: 302, FailureMode.MOVED_308: 308}
_PAGES: dict[FailureMode, Callable[[ShopSwitches], web.Response]] = {
    FailureMode.MAINTENANCE: _maintenance,
    FailureMode.REST_OFF_401: lambda _: RestError(401, "rest_login_required", "REST API restricted to authenticated users.").response(),
    FailureMode.REST_OFF_403: lambda _: RestError(403, "rest_disabled", "The REST API on this site has been disabled.").response(),
    FailureMode.REST_OFF_404: lambda _: page_not_found(),
    FailureMode.FIREWALL: lambda _: firewall_page(),
    FailureMode.CHALLENGE: lambda _: _challenge(),
    FailureMode.FORBIDDEN: lambda _: rest_forbidden().response(),
    FailureMode.CACHED_HTML: lambda _: html_response(200, "Sandbox shop", "Welcome to our shop.", {"X-Cache": "HIT", "Age": "311"}),
    FailureMode.CRITICAL_ERROR: lambda _: CriticalError().response(),
    FailureMode.DATABASE_DOWN: lambda _: html_response(500, "Database Error", "Error establishing a database connection"),
}


_AROUND: dict[StrayOutput, tuple[bytes, bytes]] = {
    StrayOutput.NONE: (b"", b""),
    StrayOutput.PHP_NOTICE: (PHP_NOTICE, b""),
    StrayOutput.TWO_MARKS: (b"\xef\xbb\xbf" * 2, b""),
    StrayOutput.NEWLINE_AND_MARK: (b"\n\xef\xbb\xbf", b""),
    StrayOutput.COMMENT_BEHIND: (b"", b"\n<!-- Page cached by Swift Cache at 2026-01-02 03:04:05 -->"),
    StrayOutput.ZERO_BEHIND: (b"", b"0"),
    StrayOutput.JSON_BEFORE: (b'<script>window.loyal={"friends":[1,2]}</script>', b""),
    StrayOutput.LATIN_1_BEFORE: (b"<b>Avertissement</b>: propri\xe9t\xe9 absente {", b""),
}


def with_stray_output(response: web.Response, switches: ShopSwitches) -> web.Response:
    """Returns the answer with stray output around its body. The headers stay those of JSON.

    PHP sends headers before any output, or not at all.
    """
    before, behind = _AROUND[switches.stray_output]
    if not before and not behind:
        return response
    body = response.body if isinstance(response.body, bytes) else b""
    return web.Response(status=response.status, body=before + body + behind, headers={"Content-Type": response.headers["Content-Type"]})


def _moved(status: int, location: str) -> web.Response:
    return html_response(status, "Moved", f'The document has moved <a href="{location}">here</a>.', {"Location": location})
