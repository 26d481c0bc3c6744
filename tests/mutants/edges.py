"""Mutants of the limits on callers, with and without a token. No caller may take more than its share."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop, value

EDGES = [
    Mutant(
        "strangers-hold-no-place",
        "an unauthenticated call stays open for the whole request time",
        value("(await asyncio.sleep(0 if authorization else REQUEST_SECONDS), await self._caller(method, authorization))[1]"),
    ),
    Mutant("a-revoked-token-disconnects-no-shop", "a revoked token disconnects a shop that has connected again since", condition("False")),
    Mutant(
        "one-caller-takes-its-turns-only",
        "the number of concurrent calls of one caller has no limit",
        value("Turns(TurnLimit.always(10_000))"),
    ),
    Mutant("a-crowd-gets-few-turns", "a token with a thousand calls gets as many turns as one with sixty", value("False")),
    Mutant("idle-connections-make-room", "the server never closes an idle connection for a new one", condition("False")),
    Mutant("strangers-requests-make-room", "an unauthenticated request protects its connection from being closed", drop()),
    Mutant("webhook-openers-are-kept", "every webhook reads its accounts from the database", condition("False")),
    Mutant("webhook-openers-follow-changes", "an old webhook secret is accepted until the cache entry expires", drop()),
    Mutant("guesses-are-slowed", "the thousandth wrong webhook secret is answered as fast as the first", condition("True")),
]
