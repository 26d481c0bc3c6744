"""Switches of the shop emulator: its configuration and its failures. Every switch may change while the shop runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import StrEnum

from tillsync_sandbox.switch_values import parse_switch_values


class FailureMode(StrEnum):
    """Answers of a real site on every REST address when something outside WooCommerce has failed."""

    MAINTENANCE = "maintenance"
    """503, ``Retry-After``, HTML: WordPress is updating itself."""
    MOVED_301 = "moved_301"
    MOVED_302 = "moved_302"
    MOVED_308 = "moved_308"
    """A redirect to ``ShopSwitches.moved_to``, as with a wrong address in the settings."""
    REST_OFF_401 = "rest_off_401"
    REST_OFF_403 = "rest_off_403"
    """A security plugin returns an error from ``rest_authentication_errors``: JSON, also on the index."""
    REST_OFF_404 = "rest_off_404"
    """A plugin hides the REST API, and the theme's 404 page answers (HTML)."""
    FIREWALL = "firewall"
    """403 with an HTML page of the host's firewall."""
    CHALLENGE = "challenge"
    """403 with an HTML page that requires JavaScript and a cookie (``cf-mitigated: challenge``)."""
    FORBIDDEN = "forbidden"
    """401 ``rest_forbidden``, the answer of routes with their own permission callback to an unknown caller."""
    HEADER_STRIPPED = "header_stripped"
    """The web server drops ``Authorization``, so WordPress runs the request as an anonymous one."""
    CACHED_HTML = "cached_html"
    """200 with a cached HTML page for every method. The request does not reach WordPress."""
    CRITICAL_ERROR = "critical_error"
    """500 with WordPress's JSON of a fatal error. The request is not executed."""
    DATABASE_DOWN = "database_down"
    """500 with the HTML page "Error establishing a database connection"."""


class StrayOutput(StrEnum):
    """Output around the JSON of every answer of the REST API. The request is executed."""

    NONE = "none"
    PHP_NOTICE = "php_notice"
    TWO_MARKS = "two_marks"
    """Byte-order marks of two PHP files."""
    NEWLINE_AND_MARK = "newline_and_mark"
    COMMENT_BEHIND = "comment_behind"
    """A comment of a page cache."""
    ZERO_BEHIND = "zero_behind"
    """A "0" as at the end of admin-ajax.php."""
    JSON_BEFORE = "json_before"
    """A script that contains a JSON object."""
    LATIN_1_BEFORE = "latin_1_before"
    """A message that is not UTF-8, with an unclosed bracket."""


class Permalinks(StrEnum):
    """The addresses that lead to the REST API."""

    PRETTY = "pretty"
    """``/wp-json/…``, ``/index.php/wp-json/…`` and ``/?rest_route=…``."""
    PLAIN = "plain"
    """Only ``/index.php/wp-json/…`` and ``/?rest_route=…``; WooCommerce keys are not recognised on the latter."""
    PLAIN_REWRITTEN = "plain_rewritten"
    """Only ``/?rest_route=…``. The web server still passes every path to WordPress. WordPress takes ``/wp-json/`` for the front page, and
    redirects a path under it to the same path with a slash."""


class KeyOwner(StrEnum):
    """Role of the user who created the consumer key. It determines the rights of the key."""

    ADMINISTRATOR = "administrator"
    SHOP_MANAGER = "shop_manager"
    """May not batch, which needs ``promote_users``, and may edit only users with the role customer."""


class KeyPermissions(StrEnum):
    READ = "read"
    WRITE = "write"
    READ_WRITE = "read_write"


@dataclass(slots=True, kw_only=True)
class ShopSwitches:
    """The switches of one shop."""

    consumer_key: str = "ck_sandbox"
    consumer_secret: str = "cs_sandbox"
    key_owner: KeyOwner = KeyOwner.ADMINISTRATOR
    key_permissions: KeyPermissions = KeyPermissions.READ_WRITE

    https_seen: bool = False
    """Result of PHP's ``is_ssl()``. False: keys work only as OAuth 1.0a signatures. True: Basic works, and OAuth is checked against an
    https address. A signature for http then fails, as behind a proxy that terminates TLS."""
    home_host: str = ""
    """Host (and port) of WordPress's home address. OAuth is checked against it instead of the request's host. Empty: the served host."""
    permalinks: Permalinks = Permalinks.PRETTY

    bridge_installed: bool = True
    bridge_secret: str = "c2FuZGJveC1zYW5kYm94LXNhbmRib3gtc2FuZGJveC0"
    """The secret of the shop's settings. The text itself is the key of the HMAC."""
    max_batch: int = 500
    """Maximum items of the bridge's ``customers/batch``. The bridge refuses a larger batch as a whole."""
    not_done_after: int | None = None
    """Number of items of a batch that the bridge executes. It answers ``not_done`` for the others. None: all items."""
    not_done_after_seconds: float | None = None
    """Seconds of a batch after which the bridge executes no further item. None: no limit."""
    outbox_next_due_in: int | None = None
    """Answer of the bridge to a drain: seconds until its next order is due. None: no order waits. The sandbox sends no order itself."""

    trouble: FailureMode | None = None
    stray_output: StrayOutput = StrayOutput.NONE
    three_byte_tables: bool = False
    """The shop drops names with an emoji and reports no error."""
    moved_to: str = "https://www.shop.example.test"
    """Target of ``FailureMode.MOVED_…``. The requested path is appended."""
    retry_after_seconds: int = 600
    """``Retry-After`` of ``FailureMode.MAINTENANCE`` in seconds. WordPress sends 600."""
    firewall_refuses_put_and_delete: bool = False
    """The firewall answers 403 HTML to PUT, PATCH and DELETE. POST with ``X-HTTP-Method-Override`` passes."""

    latency_seconds: float = 0.0
    """Delay of every request."""
    item_latency_seconds: float = 0.0
    """Additional delay per item of a batch. 0.015 is that of WooCommerce's ``customers/batch``, 0.0005 that of the bridge's own table."""

    bridge_version: str = "1.0.0"
    bridge_api: int = 3
    """Newest version of the wire that the bridge speaks. A bridge of version 1 refuses items with unknown fields."""
    price_decimals: int = 2
    """Decimals of the shop's prices."""
    event_types: tuple[str, ...] = ("order.finished", "decision.needed", "decision.closed")
    """Event types that the bridge knows. Other events are ``invalid``."""
    wordpress_version: str = "6.9"
    woocommerce_version: str = "10.5.0"

    def update(self, changes: dict[str, object]) -> None:
        """Sets switches from JSON values. Raises ValueError, which names the switch and its valid values; then it changes nothing."""
        for name, value in parse_switch_values(ShopSwitches, changes).items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, object]:
        return dataclasses.asdict(self)
