"""The plugin's invariants: who gets in, that nothing old overwrites what is newer, that no order is lost."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop, value

BRIDGE = [
    # the service's requests
    Mutant("signatures-are-verified", "any signature opens the routes of the service", condition("true")),
    Mutant("recorded-requests-expire", "a recorded request is accepted at any time", condition("false")),
    Mutant("copies-accept-nothing", "a copy of the shop accepts what is meant for the shop", condition("false")),
    Mutant("pending-secrets-expire", "the secret of a broken-off connect opens status for ever", condition("true")),
    Mutant("older-customer-versions-change-nothing", "an older version overwrites a customer's values", value("'1 = 1'")),
    Mutant("values-never-reach-another-person", "a number's new user gets the values of the old one", value("true")),
    Mutant("values-are-shown-to-their-person-only", "a number's new user sees what the old one left", value("true")),
    Mutant("older-events-change-nothing", "an older event is acted on", value("0")),
    Mutant("events-make-their-order-due", "an event is taken although its order is not made due", condition("false")),
    # the outbox
    Mutant("rows-end-with-the-final-answer", "an order leaves the outbox before its final answer", condition("true")),
    Mutant("failed-calls-keep-orders-waiting", "orders whose call failed are not put off, and say nothing", drop()),
    # wp-admin
    Mutant("admin-routes-need-the-right", "everybody may use the routes of the screens", condition("true")),
    Mutant("admin-actions-need-the-right", "everybody who is logged in may change the settings", condition("false")),
    Mutant("admin-actions-check-their-nonce", "another site's page can post an action", drop()),
]
