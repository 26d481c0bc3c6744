"""Lists the ErrorInfo reasons of calls with their meanings, by the domain error that has them.

``tests/unit/repository/test_api_reference.py`` compares the table with the errors that the service's code makes.
"""

from __future__ import annotations

from tillsync_server.domain.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    NotYetImplemented,
    PermissionDenied,
    RequestError,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)

REASONS: dict[type[RequestError], dict[str, str]] = {
    InvalidArgument: {
        "INVALID_FIELD": "A field breaks its rule. `BadRequest` names each field with its remedy.",
        "PAGE_TOKEN_INVALID": "The token belongs to another filter or to another service. Begin without it.",
        "SECRETS_NEEDED": "The call moves a base URL to another host, so it must give the secrets of that side again.",
        "MALFORMED_BODY": "The HTTP body is not JSON of the method's request.",
        "MALFORMED_MESSAGE": "The gRPC bytes are not a message of the method's request.",
        "NO_MESSAGE": "The call ended without a request message.",
        "REQUEST_TOO_LARGE": "The request exceeds its limit of bytes or JSON objects.",
        "REQUEST_TOO_SLOW": "The request did not arrive within 30 s.",
    },
    Unauthenticated: {
        "TOKEN_MISSING": "The call has no `authorization: Bearer <token>`.",
        "TOKEN_UNKNOWN": "The token does not exist or is revoked.",
    },
    PermissionDenied: {
        "ROLE_NOT_ALLOWED": "The token's role may not call the method.",
        "FOREIGN_ACCOUNT": "A SITE token named another account.",
    },
    NotFound: {
        "ACCOUNT_NOT_FOUND": "No account has this id.",
        "BRIDGE_RELEASE_NOT_FOUND": "The release of the plugin is not offered to the account, or its zip has gone.",
        "ENTRY_NOT_FOUND": "The account has no such entry, or its history has been dropped.",
        "EPOS_CUSTOMER_NOT_FOUND": "Epos Now has no such customer.",
        "LINK_NOT_FOUND": "The customer is not linked.",
        "ORDER_NOT_FOUND": "MatchOrderCustomer was never called for this order.",
        "TOKEN_NOT_FOUND": "No token has this id.",
    },
    AlreadyExists: {
        "ACCOUNT_EXISTS": "The account exists with other settings.",
        "EPOS_CUSTOMER_LINKED": "The till customer is linked to another shop customer.",
        "WOO_CUSTOMER_LINKED": "The shop customer is linked to another till customer.",
    },
    FailedPrecondition: {
        "DEFAULT_CUSTOMER": "The till customer is the account's default customer, so it cannot be linked, exported or erased.",
        "DEFAULT_CUSTOMER_LINKED": "A linked till customer cannot become the default customer. Delete the link first.",
        "GUEST_CANNOT_BE_LINKED": "The order is a guest's, so no link is possible.",
        "NOT_AN_ORDER": "The entry is not about an order.",
        "ORDER_NOT_HELD": "The order's entry is in another state, or a newer entry exists.",
        "STATE_DOES_NOT_ALLOW": "The entry's state does not allow the retry or the dismissal. Only single items get this error.",
        "TILL_FILTER_IGNORED": "The till's search ignores the filter. Search in another way.",
        "TILL_NOT_SHARED": "Another account uses this `till_id`. Set `shared_till` if both belong to one Epos Now company.",
        "SHOP_ADDRESS_WRONG": "Another server answers at the shop's address.",
        "SHOP_ANSWER_UNREADABLE": "The shop's answer is not what the bridge sends.",
        "SHOP_BRIDGE_OFF": "The plugin is not active in the shop.",
        "SHOP_FAILED": "The shop answered with a server error.",
        "SHOP_FIREWALL": "A firewall answers in place of the shop.",
        "SHOP_IN_MAINTENANCE": "The shop is in maintenance mode.",
        "SHOP_NOT_CONNECTED": "The account's shop has no bridge.",
        "SHOP_MOVED": "The shop's address redirects.",
        "SHOP_PASSWORD_PROTECTED": "The web server asks for a password before WordPress runs.",
        "SHOP_PHP_MESSAGE": "PHP prints a message before the data.",
        "SHOP_REFUSED": "The shop refused the request.",
        "SHOP_REST_OFF": "A plugin has switched off WordPress's REST API.",
        "SHOP_SIGNATURE_REFUSED": "The plugin refused the service's signature.",
        "SHOP_THROTTLES": "The shop limits requests.",
        "SHOP_TOO_SLOW": "The shop did not answer in time.",
        "SHOP_UNREACHABLE": "The service cannot connect to the shop.",
        "SHOP_WEB_PAGE": "The shop answers with a web page in place of data.",
    },
    Aborted: {
        "ETAG_MISMATCH": "The etag is out of date. Read again, then repeat the change.",
    },
    ResourceExhausted: {
        "RATE_EXCEEDED": "The account sends more than `TILLSYNC_ENTRIES_PER_SECOND`.",
        "TILL_BUDGET_USED_UP": "The till's request limit is used up.",
        "TOO_MANY_CALLS": "The process serves as many calls as it can.",
        "TOO_MANY_CALLS_AT_ONCE": "The account has too many calls of this method under way.",
        "TOO_MANY_CALLS_OF_TOKEN": "The token has too many calls under way.",
        "TOO_MANY_OPEN_CALLS": "The process serves too many calls without a token.",
        "TOO_MANY_OPEN_CALLS_OF_CONNECTION": "The connection has too many calls without a token under way.",
        "TOO_MANY_WAITERS": "Too many calls wait for orders of the account. Use BatchMatchOrderCustomers, which never waits.",
        "TOO_MANY_WAITING_ENTRIES": "The account has `TILLSYNC_MAX_WAITING_ENTRIES` waiting entries.",
        "TOO_MANY_WAITING_SALES": "Too many sales of the till wait to be read. Only webhooks get this error.",
    },
    Unavailable: {
        "UNAVAILABLE": "The service is starting, stopping or overloaded.",
        "ACCOUNT_BUSY": "Another transaction holds the account's lane.",
        "DATABASE_UNAVAILABLE": "The database does not answer.",
        "TILL_TOO_SLOW": "Epos Now did not answer in time.",
        "TILL_UNAVAILABLE": "Epos Now did not answer as expected.",
    },
    NotYetImplemented: {
        "NOT_YET_IMPLEMENTED": "The contract announces the method, and this release does not serve it.",
        "CONTENT_ENCODING": "The service does not support the HTTP body's encoding.",
    },
}
