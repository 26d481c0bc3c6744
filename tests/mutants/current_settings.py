"""Mutants of the rule that no decision uses settings, links or facts that changed during the run."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, condition, drop, value

CURRENT_SETTINGS = [
    Mutant("setting-changes-raise-the-version", "a change of settings does not raise config_version", drop()),
    Mutant("customer-writes-rest-on-current-settings", "the service writes values to the shop under older settings", becomes("None")),
    Mutant("type-writes-rest-on-current-settings", "the service writes a customer type to the shop under older settings", value("None")),
    Mutant("creates-rest-on-current-facts", "the service sends a create although order, link or settings have changed", condition("False")),
    Mutant("order-links-rest-on-current-settings", "an order makes its link under older settings", drop()),
    Mutant("links-raise-only-what-they-change", "a new link raises the revision of every waiting order of its shop customer", drop()),
    Mutant("serve-needs-own-sessions", "the service runs behind a pooler that gives each transaction another session", condition("False")),
    Mutant("migrate-needs-own-sessions", "migrations run behind a pooler that gives each transaction another session", condition("False")),
    Mutant("content-hash-names-the-shop", "the hash of what a shop holds does not say which shop", drop()),
]
