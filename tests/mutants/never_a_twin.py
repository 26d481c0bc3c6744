"""Mutants of two rules: no customer is created twice at the till, and no existing customer counts as gone."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, catches, condition, drop, value

NEVER_A_TWIN = [
    # the intent
    Mutant("unsettled-intents-stand", "an intent is replaced before it has settled", drop()),
    Mutant("only-the-intent-read-is-replaced", "a process that has read an earlier intent replaces the present one", drop()),
    Mutant("intents-are-cleared-by-their-owner", "a process clears an intent of another owner", drop()),
    Mutant("intent-owners-name-the-account", "the lanes of one process share one owner of intents", value("''")),
    Mutant("standing-intents-block-creates", "the service sends a create although another owner's intent exists", condition("True")),
    Mutant("unknown-intents-settle-first", "an unknown intent counts as replaceable before it has settled", condition("True")),
    Mutant(
        "settled-intents-need-a-new-search",
        "a settled intent is replaced after a search that began before it settled",
        becomes("if NAME_BOUND not in locals():\n    IT"),
    ),
    Mutant("old-intents-send-nothing", "the service sends a create under an intent of any age", condition("False")),
    Mutant("stopped-creates-keep-their-intent", "a stop after the commit of the intent clears the intent", catches("BaseException")),
    # the create
    Mutant(
        "creates-are-sent-once", "the service retries a create as it retries a read", becomes("try:\n    IT\nexcept Exception:\n    IT")
    ),
    Mutant("lost-answers-are-no-refusals", "a lost answer counts as a refusal", value("True")),
    Mutant("creates-are-followed-by-a-search", "the service ignores customers that the search after the create finds", drop()),
    # the search
    Mutant("unproven-searches-create-nothing", "a miss of an unproven search counts", condition("False")),
    Mutant("resembling-emails-are-for-a-person", "a customer with another spelling of the email counts as no match", condition("False")),
    Mutant("case-sensitive-searches-prove-nothing", "a case-sensitive search counts as proven", condition("True")),
    Mutant("blind-searches-prove-nothing", "a search that misses listed customers counts as proven", value("type(IT).PROVEN")),
    Mutant("restored-tills-settle-first", "a miss counts while a lost process's create may still be stored", condition("False")),
    Mutant("restored-tills-prove-by-list", "the search proves a miss just after a restore of the database", condition("False")),
    Mutant("proofs-count-for-their-kind", "a search that is proven for plain emails counts as proven for every kind", value("set()")),
    Mutant("unread-rows-may-be-the-one", "an unreadable list row with the email counts as no match", drop()),
    Mutant("search-proofs-name-the-configuration", "a proof counts for every configuration", value("''")),
    Mutant(
        "lists-end-without-new-customers",
        "a list page that is not full ends the list",
        becomes("if len(ITERATED) < 200:\n    break\nIT"),
    ),
    Mutant("search-hits-are-compared", "every search hit counts as the searched customer", drop()),
    Mutant("ignored-filters-are-noticed", "the service does not detect an ignored filter", value("False")),
    Mutant("searches-read-every-page", "a search reads its first page only", condition("True")),
    Mutant("unmatched-searches-are-read-on", "a search ends at a short page without the email", condition("False")),
    # the person
    Mutant("a-number-is-not-a-person", "a new user with a reused id counts as the linked person", value("True")),
    Mutant("waiting-orders-end-no-later-link", "an order that waited ends the link of the person who has the user id now", value("True")),
    # customers that are gone
    Mutant("gone-needs-a-proof", "every 404 means gone", condition("True")),
    Mutant("html-pages-are-no-missing-customer", "an HTML page with status 404 means a missing customer", condition("False")),
]
