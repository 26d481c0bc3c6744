"""The edges: what a caller may take, before and after it has shown a token. No caller's load takes more than its share."""

from __future__ import annotations

from mutants.mutant import Mutant, condition, drop, value

EDGES = [
    Mutant(
        "strangers-hold-no-place",
        "a stranger's call stays open as long as a request may take",
        value("(await asyncio.sleep(0 if authorization else REQUEST_SECONDS), await self._caller(method, authorization))[1]"),
    ),
    Mutant("a-revoked-token-disconnects-no-shop", "a token that was revoked disconnects the shop that connected since", condition("False")),
    Mutant("one-caller-takes-its-turns-only", "a caller is worked on as often as it calls", value("Turns(TurnLimit.always(10_000))")),
    Mutant("a-crowd-gets-few-turns", "a token has as many turns for a thousand calls as for sixty", value("False")),
    Mutant("idle-connections-make-room", "idle connections are never closed for new ones", condition("False")),
    Mutant("strangers-requests-make-room", "a stranger's request keeps its connection from being closed", drop()),
    Mutant("webhook-openers-are-kept", "every webhook reads its accounts from the database", condition("False")),
    Mutant("webhook-openers-follow-changes", "a changed webhook secret is believed until what is kept is too old", drop()),
    Mutant("guesses-are-slowed", "the thousandth wrong webhook secret is answered as soon as the first", condition("True")),
]
