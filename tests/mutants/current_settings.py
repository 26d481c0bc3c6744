"""A decision never rests on settings, links or facts that changed while it was taken."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, condition, drop, value

CURRENT_SETTINGS = [
    Mutant("setting-changes-raise-the-version", "a change of settings does not raise config_version", drop()),
    Mutant("customer-writes-rest-on-current-settings", "values are written to the shop on former settings", becomes("None")),
    Mutant("type-writes-rest-on-current-settings", "a customer type is written to the shop on former settings", value("None")),
    Mutant("creates-rest-on-current-facts", "a create is sent although order, links or settings have changed", condition("False")),
    Mutant("order-links-rest-on-current-settings", "an order makes its link on former settings", drop()),
    Mutant("links-raise-only-what-they-change", "a link has every waiting order of its shop customer decided twice", drop()),
    Mutant("serve-needs-own-sessions", "the service runs behind a pooler that gives each transaction another session", condition("False")),
    Mutant("migrate-needs-own-sessions", "migrations run behind a pooler that gives each transaction another session", condition("False")),
    Mutant("content-hash-names-the-shop", "the hash of what a shop holds does not say which shop", drop()),
]
