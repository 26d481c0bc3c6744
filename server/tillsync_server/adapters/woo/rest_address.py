"""Addresses of a WordPress site's REST API. Permalinks and web server decide which of the three forms work."""

from __future__ import annotations

from enum import Enum
from urllib.parse import quote

from yarl import URL

from tillsync_server.domain.enums import Side
from tillsync_server.domain.errors import Misaddressed


class RestForm(Enum):
    PRETTY = "/wp-json"
    """Needs permalinks other than "Plain"."""
    INDEX = "/index.php/wp-json"
    """Works with plain permalinks too. Needs a web server that passes PATH_INFO."""
    QUERY = "/?rest_route="
    """Works everywhere. WooCommerce does not recognise its keys there, because it looks for ``wp-json/wc/`` in the address."""

    def suffix(self, route: str) -> str:
        """Returns the part after the shop's base address. ``route`` is WordPress's route, for example ``/wc/v3/customers/batch``."""
        return self.value + route


def rest_url(base_url: str, form: RestForm, route: str, query: str = "") -> URL:
    """Returns the URL of a route. ``query`` is encoded, without the question mark. Raises Misaddressed."""
    try:
        base = URL(base_url.strip()).with_query(None).with_fragment(None)
    except ValueError as error:
        raise Misaddressed(Side.SHOP, "the base address of the shop is not a URL: correct it in the account") from error
    suffix = form.suffix(quote(route))
    joint = "&" if "?" in suffix else "?"
    return URL(str(base).rstrip("/") + suffix + (joint + query if query else ""), encoded=True)
