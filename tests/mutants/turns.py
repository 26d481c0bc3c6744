"""Mutants of the turns at the till. An order waits for at most one request of other work, and no class of work starves."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, condition, drop

TURNS = [
    Mutant("only-orders-book-ahead", "live and bulk work reserve requests ahead too", becomes("(IT OR NOT for_orders)")),
    Mutant("every-tenth-request-is-left-to-others", "live and bulk work get no request while orders keep coming", drop()),
    Mutant("no-class-starves", "bulk work gets no turn while live work keeps coming", condition("False")),
    Mutant("room-is-left-to-others", "orders that keep coming take every slot in flight", condition("False")),
    Mutant("a-spent-allowance-charges-nobody", "a used-up allowance charges an attempt", condition("False")),
]
