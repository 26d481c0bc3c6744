"""The answers of a site on which something outside WooCommerce is wrong (:class:`Trouble`)."""

from __future__ import annotations

from typing import assert_never

from aiohttp import web

from tillsync_sandbox.shop.rest import CriticalError, RestError, html_response, page_not_found, rest_forbidden
from tillsync_sandbox.shop.switches import ShopSwitches, StrayOutput, Trouble

PHP_NOTICE = (
    b"<br />\n<b>Notice</b>:  Undefined index: loyalty in "
    b"<b>/var/www/html/wp-content/plugins/loyal-friends/loyal-friends.php</b> on line <b>42</b><br />\n"
)


def firewall_page() -> web.Response:
    return html_response(403, "403 Forbidden", "Your request was blocked by our web application firewall. Incident 4711-sandbox.")


def answer_instead(switches: ShopSwitches, path_qs: str) -> web.Response | None:
    """The answer that takes the place of the REST API's, or None where the request still runs. ``path_qs``: path and query asked for."""
    match switches.trouble:
        case None | Trouble.HEADER_STRIPPED:
            return None
        case Trouble.MAINTENANCE:
            return html_response(
                503,
                "Maintenance",
                "Briefly unavailable for scheduled maintenance. Check back in a minute.",
                {"Retry-After": str(switches.retry_after_seconds)},
            )
        case Trouble.MOVED_301:
            return _moved(301, switches.moved_to + path_qs)
        case Trouble.MOVED_302:
            return _moved(302, switches.moved_to + path_qs)
        case Trouble.MOVED_308:
            return _moved(308, switches.moved_to + path_qs)
        case Trouble.REST_OFF_401:
            return RestError(401, "rest_login_required", "REST API restricted to authenticated users.").response()
        case Trouble.REST_OFF_403:
            return RestError(403, "rest_disabled", "The REST API on this site has been disabled.").response()
        case Trouble.REST_OFF_404:
            return page_not_found()
        case Trouble.FIREWALL:
            return firewall_page()
        case Trouble.CHALLENGE:
            return html_response(
                403,
                "Just a moment...",
                "<noscript>Enable JavaScript and cookies to continue</noscript>",
                {"Server": "cloudflare", "cf-mitigated": "challenge"},
            )
        case Trouble.FORBIDDEN:
            return rest_forbidden().response()
        case Trouble.CACHED_HTML:
            return html_response(200, "Sandbox shop", "Welcome to our shop.", {"X-Cache": "HIT", "Age": "311"})
        case Trouble.CRITICAL_ERROR:
            return CriticalError().response()
        case Trouble.DATABASE_DOWN:
            return html_response(500, "Database Error", "Error establishing a database connection")
        case other:
            assert_never(other)


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
    """The same answer with other output around its body. The headers stay those of JSON, as PHP sent them first or not at all."""
    before, behind = _AROUND[switches.stray_output]
    if not before and not behind:
        return response
    body = response.body if isinstance(response.body, bytes) else b""
    return web.Response(status=response.status, body=before + body + behind, headers={"Content-Type": response.headers["Content-Type"]})


def _moved(status: int, location: str) -> web.Response:
    return html_response(status, "Moved", f'The document has moved <a href="{location}">here</a>.', {"Location": location})
