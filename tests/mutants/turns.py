"""Who goes first at the till: orders wait for at most one request of others, and no class starves."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, condition, drop

TURNS = [
    Mutant("only-orders-book-ahead", "live and bulk book requests ahead too", becomes("(IT OR NOT for_orders)")),
    Mutant("every-tenth-request-is-left-to-others", "live and bulk get nothing while orders never end", drop()),
    Mutant("no-class-starves", "bulk gets nothing while live never ends", condition("False")),
    Mutant("room-is-left-to-others", "orders that never end take every place in flight", condition("False")),
    Mutant("a-spent-allowance-charges-nobody", "an allowance that is used up charges an attempt", condition("False")),
]
