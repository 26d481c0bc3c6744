"""Mutants of the plugin. They concern access, the order of versions, and the loss of orders."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop, value

BRIDGE = [
    # requests of the service
    Mutant("signatures-are-verified", "a request with any signature may use the service's routes", condition("true")),
    Mutant("recorded-requests-expire", "the plugin accepts a recorded request at any time", condition("false")),
    Mutant("copies-accept-nothing", "a copy of the shop accepts requests for the original shop", condition("false")),
    Mutant("pending-secrets-expire", "the secret of an unfinished connect never expires", condition("true")),
    Mutant("older-customer-versions-change-nothing", "an older version overwrites a customer's values", value("'1 = 1'")),
    Mutant("values-never-reach-another-person", "a new user with a reused id gets the values of the former user", value("true")),
    Mutant("values-are-shown-to-their-person-only", "a new user with a reused id sees the values of the former user", value("true")),
    Mutant("older-events-change-nothing", "the plugin applies an older event", value("0")),
    Mutant("events-make-their-order-due", "the plugin accepts an event although its order did not become due", condition("false")),
    # the outbox
    Mutant("rows-end-with-the-final-answer", "an order leaves the outbox before its final answer", condition("true")),
    Mutant("failed-calls-keep-orders-waiting", "a failed call does not postpone its orders, and they show no error", drop()),
    # updates
    Mutant("only-signed-releases-are-installed", "the plugin installs a release that a stranger has signed", condition("false")),
    Mutant("no-release-replaces-a-newer-one", "the service can bring back an old version of the plugin", condition("false")),
    Mutant("the-zip-is-the-signed-one", "the plugin installs another zip than the signed one", condition("false")),
    Mutant("foreign-updates-are-dropped", "an answer of wordpress.org replaces the plugin", condition("false")),
    Mutant("wordpress-org-is-not-asked-for-the-plugin", "wordpress.org is asked for the plugin's slug", drop()),
    # wp-admin
    Mutant("admin-routes-need-the-right", "every visitor may use the routes of the screens", condition("true")),
    Mutant("admin-actions-need-the-right", "every logged-in user may change the settings", condition("false")),
    Mutant("admin-actions-check-their-nonce", "a page of another site can post an action", drop()),
]
