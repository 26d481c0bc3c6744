"""How a sandbox shop is set up and what is wrong with it. Every switch may be flipped while the shop runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from tillsync_sandbox.switch_values import switch_values


class FailureMode(StrEnum):
    """What a real site answers, on every REST address, when something outside WooCommerce is wrong."""

    MAINTENANCE = "maintenance"
    """503, ``Retry-After``, HTML: WordPress is updating itself."""
    MOVED_301 = "moved_301"
    MOVED_302 = "moved_302"
    MOVED_308 = "moved_308"
    """A redirect to ``ShopSwitches.moved_to``: the address in the settings is wrong."""
    REST_OFF_401 = "rest_off_401"
    REST_OFF_403 = "rest_off_403"
    """A security plugin answers ``rest_authentication_errors`` with an error: JSON, also on the index."""
    REST_OFF_404 = "rest_off_404"
    """The address of the REST API is hidden: the theme's 404 page, HTML."""
    FIREWALL = "firewall"
    """403 with an HTML page of the host's firewall."""
    CHALLENGE = "challenge"
    """403 with an HTML page that wants JavaScript and a cookie (``cf-mitigated: challenge``)."""
    FORBIDDEN = "forbidden"
    """401 ``rest_forbidden``: what routes with their own permission callback answer to an unknown caller."""
    HEADER_STRIPPED = "header_stripped"
    """The web server drops ``Authorization``; the request then runs as an anonymous one, with whatever that brings."""
    CACHED_HTML = "cached_html"
    """200 with a cached HTML page, to any method; WordPress never sees the request."""
    CRITICAL_ERROR = "critical_error"
    """500 with WordPress's JSON of a fatal error; nothing was carried out."""
    DATABASE_DOWN = "database_down"
    """500 with the HTML page "Error establishing a database connection"."""


class StrayOutput(StrEnum):
    """What is printed around the JSON of every answer of the REST API. The request is carried out."""

    NONE = "none"
    PHP_NOTICE = "php_notice"
    TWO_MARKS = "two_marks"
    """Two PHP files begin with a byte-order mark."""
    NEWLINE_AND_MARK = "newline_and_mark"
    COMMENT_BEHIND = "comment_behind"
    """Of a page cache."""
    ZERO_BEHIND = "zero_behind"
    """As admin-ajax.php ends."""
    JSON_BEFORE = "json_before"
    """A script with an object of its own."""
    LATIN_1_BEFORE = "latin_1_before"
    """A message that is no UTF-8, with a bracket that is never closed."""


class Permalinks(StrEnum):
    """Which addresses reach the REST API."""

    PRETTY = "pretty"
    """``/wp-json/…``, ``/index.php/wp-json/…`` and ``/?rest_route=…``."""
    PLAIN = "plain"
    """Only ``/index.php/wp-json/…`` and ``/?rest_route=…``; WooCommerce keys are not recognised on the latter."""
    PLAIN_REWRITTEN = "plain_rewritten"
    """Only ``/?rest_route=…``: the web server still hands every path to WordPress, which takes ``/wp-json/`` for the front page and
    redirects what is below it to itself with a slash."""


class KeyOwner(StrEnum):
    """Role of the user who made the consumer key: it decides what the key may do."""

    ADMINISTRATOR = "administrator"
    SHOP_MANAGER = "shop_manager"
    """No batch (needs ``promote_users``), and edits only users whose role is customer."""


class KeyPermissions(StrEnum):
    READ = "read"
    WRITE = "write"
    READ_WRITE = "read_write"


@dataclass(slots=True, kw_only=True)
class ShopSwitches:
    """The set-up of one shop."""

    consumer_key: str = "ck_sandbox"
    consumer_secret: str = "cs_sandbox"
    key_owner: KeyOwner = KeyOwner.ADMINISTRATOR
    key_permissions: KeyPermissions = KeyPermissions.READ_WRITE

    https_seen: bool = False
    """PHP's ``is_ssl()``. False: keys work only as OAuth 1.0a signatures. True: Basic works, and OAuth is checked against an
    https address (so what a client signed for http fails, as behind a TLS-ending proxy)."""
    home_host: str = ""
    """Host (and port) of WordPress's home address; OAuth is checked against it whatever host was asked. Empty: the served one."""
    permalinks: Permalinks = Permalinks.PRETTY

    bridge_installed: bool = True
    bridge_secret: str = "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0"
    """As in the shop's settings: the text itself keys the HMAC."""
    max_batch: int = 500
    """Most items of the bridge's ``customers/batch`` and ``events``; more are refused whole."""
    not_done_after: int | None = None
    """The bridge does this many items of a batch and answers ``not_done`` for the others. None: all."""
    not_done_after_seconds: float | None = None
    """The same by time: no further item is begun when this many seconds of a batch are over."""

    trouble: FailureMode | None = None
    stray_output: StrayOutput = StrayOutput.NONE
    three_byte_tables: bool = False
    """Names with an emoji are not stored, and the shop says nothing of it."""
    moved_to: str = "https://www.shop.example.test"
    """Where ``FailureMode.MOVED_…`` points; the path asked for is appended."""
    retry_after_seconds: int = 600
    """``Retry-After`` of ``FailureMode.MAINTENANCE``; 600 is what WordPress sends."""
    firewall_refuses_put_and_delete: bool = False
    """403 HTML to the methods PUT, PATCH and DELETE; POST with ``X-HTTP-Method-Override`` passes."""

    latency_seconds: float = 0.0
    """Delay of every request."""
    item_latency_seconds: float = 0.0
    """Further delay per item of a batch. 0.015 is a real WooCommerce's ``customers/batch``, 0.0005 the bridge's own table."""

    bridge_version: str = "1.0.0"
    bridge_api: int = 2
    """Newest version of the wire that the bridge speaks. 1: it refuses items with fields that it does not know."""
    price_decimals: int = 2
    """Of the shop's prices."""
    event_types: tuple[str, ...] = ("order.finished", "decision.needed", "decision.closed")
    """Events that the bridge knows; others are ``invalid``."""
    wordpress_version: str = "6.9"
    woocommerce_version: str = "10.5.0"

    def update(self, changes: dict[str, object]) -> None:
        """Set switches from JSON values. Raises ValueError naming the switch and what it takes; then nothing is changed."""
        for name, value in switch_values(ShopSwitches, changes).items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)
