"""Nobody is created twice at the till, and nobody is taken for gone who is not."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, catches, condition, drop, value

NEVER_A_TWIN = [
    # the intent
    Mutant("unsettled-intents-stand", "an intent is taken over before it has settled", drop()),
    Mutant("only-the-intent-read-is-replaced", "an intent is replaced by a process that read an earlier one", drop()),
    Mutant("intents-are-cleared-by-their-owner", "an intent is cleared by another owner", drop()),
    Mutant("intent-owners-name-the-account", "lanes of one process share the owner of their intents", value("''")),
    Mutant("standing-intents-block-creates", "a create is sent although another's intent stands", condition("True")),
    Mutant("unknown-intents-settle-first", "an intent counts as dead before it has settled", condition("True")),
    Mutant(
        "settled-intents-need-a-new-search",
        "a settled intent is replaced after a search that began before it settled",
        becomes("if NAME_BOUND not in locals():\n    IT"),
    ),
    Mutant("old-intents-send-nothing", "a create is sent however old its intent is", condition("False")),
    Mutant("stopped-creates-keep-their-intent", "a stop after the intent clears it", catches("BaseException")),
    # the create
    Mutant("creates-are-sent-once", "a create is tried again like a read", becomes("try:\n    IT\nexcept Exception:\n    IT")),
    Mutant("lost-answers-are-no-refusals", "a lost answer counts as a refusal", value("True")),
    Mutant("creates-are-followed-by-a-search", "customers found after the create are left out", drop()),
    # the search
    Mutant("unproven-searches-create-nothing", "a miss counts although the search is not proven", condition("False")),
    Mutant("resembling-emails-are-for-a-person", "an email in another spelling counts as nobody", condition("False")),
    Mutant("case-sensitive-searches-prove-nothing", "a search that tells capitals apart counts as proven", condition("True")),
    Mutant("blind-searches-prove-nothing", "a search that misses listed customers counts as proven", value("type(IT).PROVEN")),
    Mutant("proofs-count-for-their-kind", "a search proven for plain emails counts for all", value("set()")),
    Mutant("unread-rows-may-be-the-one", "a list row that cannot be read is nobody's, although it holds the email", drop()),
    Mutant("search-proofs-name-the-configuration", "a proof is good for every configuration", value("''")),
    Mutant(
        "lists-end-without-new-customers",
        "the list is believed after a page that is not full",
        becomes("if len(ITERATED) < 200:\n    break\nIT"),
    ),
    Mutant("search-hits-are-compared", "every customer found counts as the one searched for", drop()),
    Mutant("ignored-filters-are-noticed", "an ignored filter goes unnoticed", value("False")),
    Mutant("searches-read-every-page", "a search is read for its first page only", condition("True")),
    Mutant("unmatched-searches-are-read-on", "a search ends at a short page that does not hold the email", condition("False")),
    # the person
    Mutant("a-number-is-not-a-person", "a number that another person has is the linked one's", value("True")),
    Mutant("waiting-orders-end-no-later-link", "an order that waited ends the link of who has the number now", value("True")),
    # gone
    Mutant("gone-needs-a-proof", "every 404 means gone", condition("True")),
    Mutant("html-pages-are-no-missing-customer", "an HTML page with 404 is a missing customer", condition("False")),
]
