"""From an error answer of the shop to the upstream error tree: by status and by WordPress's error code, never by its words.

An answer without WordPress's error object comes from something before WordPress: web server, firewall, cache, maintenance page.
"""

from __future__ import annotations

from tillsync_server.adapters.outbound import Answer
from tillsync_server.adapters.woo.rest_answers import WpError, error_object
from tillsync_server.adapters.woo.signing import Surface
from tillsync_server.domain.errors import (
    BridgeMissing,
    CredentialsRefused,
    Misaddressed,
    Missing,
    Refused,
    ServerFailure,
    ShopCause,
    Throttled,
    Unanswered,
    UpstreamError,
)
from tillsync_server.domain.vocabulary import Side

NO_ROUTE = "rest_no_route"
NO_SUCH_USER = frozenset({"wc_user_invalid_id", "woocommerce_rest_invalid_id", "rest_user_invalid_id"})
"""What wc/v3 says of a customer that does not exist: 404 to a single request, 400 inside a batch."""
_CANNOT_BATCH = "woocommerce_rest_cannot_batch"
_CANNOT_EDIT = "woocommerce_rest_cannot_edit"
_OF_CREDENTIALS = ("rest_forbidden", "woocommerce_rest_", "tillsync_")
"""Beginnings of the codes with which WordPress, WooCommerce and the bridge refuse a caller. A plugin that switches REST off uses others."""


_Sorted = tuple[type[UpstreamError], str, ShopCause | None]


class FirewallPage(Misaddressed):
    """Something before WordPress refuses the request: all of them, or only this content."""


class BatchRefused(Refused):
    """The whole batch is refused as such, untouched: too many items or too many bytes (413), or no right to batch."""


def is_rest_absent(answer: Answer) -> bool:
    """A 404 that WordPress's REST API did not say: there is none at this address."""
    return answer.status == 404 and error_object(answer) is None


def is_method_refused(answer: Answer) -> bool:
    """A firewall's way of saying that it knows only GET and POST."""
    return answer.status in (403, 405, 501) and error_object(answer) is None


def is_no_route(answer: Answer) -> bool:
    return answer.status == 404 and (error := error_object(answer)) is not None and error.code == NO_ROUTE


def error_of(answer: Answer, surface: Surface, *, throttle_pause_seconds: float) -> UpstreamError | None:
    """The error an answer stands for; None for 2xx. A Throttled always says for how long."""
    if answer.is_success:
        return None
    error = error_object(answer)
    status, wait = answer.status, answer.retry_after_seconds
    said = f"HTTP {status}: {error.code}: {error.message}" if error else answer.status_text[:250]

    def as_(
        kind: type[UpstreamError],
        text: str,
        cause: ShopCause | None = None,
        *,
        retry_after: float | None = None,
        field: str | None = None,
    ) -> UpstreamError:
        return kind(Side.SHOP, text[:500], status=status, retry_after_seconds=retry_after, body_text=answer.text, field=field, cause=cause)

    if answer.headers.get("cf-mitigated") == "challenge":
        text = f"a bot check stands before the shop ({said}): except /wp-json/ from it, or allow this service's address"
        return as_(FirewallPage, text, ShopCause.FIREWALL)
    match status:
        case 429:
            return as_(
                Throttled,
                f"the shop's host limits requests ({said}): ask it to allow this service more",
                retry_after=throttle_pause_seconds if wait is None else max(wait, 1.0),
            )
        case 408:
            return as_(Unanswered, f"the shop gave up waiting ({said}): its host should look at its load")
        case 413:
            return as_(BatchRefused, f"the request is too large for the shop ({said}): raise its limit of the size of requests")
        case 503 if error is None:
            # Maintenance is over the whole site, so the probe that decides over a 5xx fails too, and the account waits.
            text = f"the shop is in maintenance or overloaded ({said}): wait until it is done"
            return as_(ServerFailure, text, ShopCause.MAINTENANCE, retry_after=wait)
        case _ if status >= 500 and error is None:
            text = f"the shop's site failed before its REST API could answer ({said}): see its PHP error log and database, or ask its host"
            return as_(ServerFailure, text, retry_after=wait)
        case _ if status >= 500:
            text = f"the shop failed ({said}): see the PHP error log and WooCommerce's status logs"
            return as_(ServerFailure, text, retry_after=wait)
        case 401 if error is None:
            text = f"the web server asks for a password before the shop ({said}): except /wp-json/ from the site's password protection"
            return as_(CredentialsRefused, text, ShopCause.PASSWORD)
        case 404 if error is None:
            text = f"there is no WordPress REST API at the shop's address ({said}): correct the base address, or show the hidden REST API"
            return as_(Misaddressed, text)
        case 404 if error is not None:
            return as_(*_not_found(error, said, surface))
        case 401 | 403 if error is not None:
            return as_(*_not_allowed(error, said, surface, status))
        case _ if error is None:
            text = f"a firewall before the shop refuses the request ({said}): have its host allow this service's requests to /wp-json/"
            return as_(FirewallPage, text, ShopCause.FIREWALL)
        case _:
            named = f"refused field: {error.field}" if error.field else "the shop refuses the request"
            return as_(Refused, f"{named} ({said}): correct the value, or see which plugin of the shop refuses it", field=error.field)


def _not_found(error: WpError, said: str, surface: Surface) -> _Sorted:
    if error.code == NO_ROUTE and surface is Surface.BRIDGE:
        return (
            BridgeMissing,
            f"the tillsync bridge plugin is not active in the shop ({said}): activate or update it, or disconnect the shop",
            None,
        )
    if error.code == NO_ROUTE:
        return Misaddressed, f"WooCommerce is not active at the shop's address ({said}): activate it, or correct the base address", None
    if error.code in NO_SUCH_USER:
        return Missing, f"the customer is not found in the shop ({said}): it was deleted there", None
    return Misaddressed, _rest_is_off(said), ShopCause.REST_OFF


def _not_allowed(error: WpError, said: str, surface: Surface, status: int) -> _Sorted:
    if not error.code.startswith(_OF_CREDENTIALS):
        return CredentialsRefused, _rest_is_off(said), ShopCause.REST_OFF
    if surface is Surface.BRIDGE:
        remedy = "connect the plugin again so that both sides hold the same secret, and compare the clocks"
        return CredentialsRefused, f"the bridge does not accept our signature ({said}): {remedy}", None
    if status == 403 and error.code == _CANNOT_BATCH:
        return BatchRefused, f"the owner of the consumer key may not batch customers ({said}): make the key as an administrator", None
    if status == 403 and error.code == _CANNOT_EDIT:
        return Refused, f"the owner of the consumer key may not change this customer ({said}): make the key as an administrator", None
    remedy = (
        "check key, secret and its owner, its read/write permission, that the web server passes the Authorization header, "
        "and that WordPress knows its https and home address"
    )
    return CredentialsRefused, f"the shop does not accept the consumer key ({said}): {remedy}", None


def _rest_is_off(said: str) -> str:
    return f"the shop's REST API is switched off ({said}): allow /wp-json/ in the security plugin that does it"
