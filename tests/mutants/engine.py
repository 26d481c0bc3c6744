"""The engine's invariants: what is accepted is done, in order per customer, once per lease, and by one process at a time."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, begins_with, condition, drop, value

ENGINE = [
    # durability and wake-ups
    Mutant("accepted-hints-are-committed", "enqueueing answers before the commit", begins_with("await BOUND.execute('BEGIN')")),
    Mutant("wake-ups-use-the-locked-lane", "enqueueing decides on the snapshot instead of the locked lane", drop()),
    Mutant("releases-keep-due-work-ready", "a release does not look for entries that came meanwhile", becomes("true")),
    Mutant("empty-lanes-sleep", "an empty lane stays ready", becomes("false")),
    Mutant(
        "locked-lanes-may-have-a-newer-token",
        "a lane that was leased during the wait for its lock is not found",
        becomes("lane.lease_token = newest.lease_token"),
    ),
    Mutant("earlier-entries-lower-the-bound", "an entry that is due before the lane's bound leaves the bound", drop()),
    Mutant("due-bounds-stop-at-waiting-entries", "a release raises the bound beyond entries that wait", becomes("NULL::timestamptz,")),
    Mutant("due-bounds-wait-for-open-transactions", "a release raises the bound beyond transactions that wait for the lane", drop()),
    Mutant("sweeps-look-before-the-bound", "the sweep does not lower a bound", drop()),
    Mutant("leases-look-from-lanes-left", "a lease passes over ready lanes that the one before left", becomes("NULL::timestamptz,")),
    Mutant("leases-wait-for-open-transactions", "a lease passes over lanes that an open transaction makes ready", drop()),
    Mutant("sweeps-look-at-all-lanes", "no lease ever looks at all lanes again", drop()),
    Mutant("webhooks-wake-every-account-of-the-till", "a webhook wakes only the account that it came to", drop()),
    Mutant("webhook-secrets-in-each-encoding", "a webhook's secret is compared in UTF-8 only", value("('utf-8',)")),
    Mutant("sales-leave-the-allowance-to-others", "sales are read from the till as fast as it answers", drop()),
    Mutant("live-work-is-told-to-the-owner", "the owner of a leased lane is not told of live work", drop()),
    Mutant("leased-lanes-hear-of-new-work", "the runner of a leased lane passes over the notification of new work", drop()),
    Mutant("early-wake-ups-are-kept", "work that is told before the lane's lease is answered is forgotten", drop()),
    Mutant("postponed-entries-wake-their-lane", "a leased lane forgets an entry that was put off", drop()),
    # one owner
    Mutant("completions-are-fenced", "completions do not match the lease's token", drop()),
    Mutant("lost-lanes-claim-nothing", "a process that lost the lane claims entries", drop()),
    Mutant("versions-are-drawn-by-the-owner", "a process that lost the lane draws versions, and writes", drop()),
    Mutant("stale-leases-change-nothing", "a process that lost the lane marks links gone and removals done", drop()),
    Mutant("writes-need-enough-lease", "a write starts however little of the lease is left", condition("False")),
    Mutant("permit-before-headers", "the permit is not asked before the headers", drop()),
    Mutant("permit-before-body", "the permit is not asked again before the body", condition("False")),
    Mutant("till-creates-need-a-permit", "a create at the till asks for no permit", value("None")),
    Mutant("shop-writes-need-a-permit", "a write to the shop asks for no permit", value("None")),
    Mutant("versions-always-rise", "versions do not rise when the clock is turned back", becomes("excluded.last_version")),
    Mutant("stray-json-is-no-answer", "whatever JSON a shop prints is taken for its answer", condition("True")),
    Mutant("stale-writes-are-not-applied", "a stale write counts as applied", condition("True")),
    Mutant("account-problems-are-probed-first", "what one entry meets pauses the account", condition("True")),
    Mutant("hints-lease-no-leased-lane", "a hint leases a lane that another process has", drop()),
    Mutant("orders-lease-no-leased-lane", "an order leases a lane that another process has", drop()),
    # recovery
    Mutant("lost-answers-are-told", "a lane whose lease was not answered waits for the end of the lease", drop()),
    Mutant("lost-answers-free-no-other-lease", "a lease is taken from its runner where another's answer was lost", drop()),
    Mutant("lapsed-leases-are-taken-over", "a lapsed lease keeps its owner", becomes("lease_owner IS NULL AND IT")),
    Mutant("stops-end-lanes", "a stop lets lanes claim on", drop()),
    # order per customer
    Mutant("hints-during-a-run-survive", "the end of a run swallows a hint that came during it", drop()),
    Mutant("moved-entries-are-claimed-again", "an entry that did not end as decided is not claimed again", condition("False")),
    Mutant("hints-raise-the-revision", "a hint does not raise the revision", drop()),
    # settings
    Mutant("changed-settings-void-decisions", "a decision stands although settings have changed", drop()),
    # isolation and fairness
    Mutant("subjects-exclude-only-themselves", "one entry at a time in every lane", value("'lane'")),
    Mutant("busy-accounts-enqueue-by-themselves", "an account whose lane is locked delays others again and again", condition("True")),
    Mutant("locked-lanes-delay-no-other-account", "one locked lane fails the batch of all accounts", becomes("raise")),
    Mutant(
        "a-locked-lane-delays-no-other-accounts-orders",
        "orders of all accounts are stored one account after the other",
        becomes("taken = await self._taking.submit(AccountId('all'), order)"),
    ),
    Mutant("crashing-entries-are-charged-first", "an entry that kills the process is never charged", value("False")),
    Mutant("no-class-fills-the-lane", "one class of work takes the whole lane", value("0")),
    Mutant(
        "bulk-lanes-wait-for-the-database",
        "lanes are leased while the database cannot keep up with those that run",
        value("slots.free_lanes_for_bulk"),
    ),
    Mutant("bulk-work-takes-no-reserved-slot", "bulk work takes the slots kept for live work", value("self.free")),
    # retries
    Mutant("attempts-run-out", "attempts never run out", value("False")),
    Mutant("account-wide-failures-make-their-side-wait", "an account-wide failure does not make its side wait", condition("False")),
    Mutant("the-end-of-a-problem-charges-nobody", "who meets the end of a side's problem is charged", condition("False")),
    Mutant("an-entrys-fault-stops-only-itself", "an entry opens its side's problem however often others close it", condition("True")),
    Mutant("probes-have-a-bounded-share", "every ill side is probed at once", condition("False")),
    Mutant("free-probe-slots-are-told", "who waits for a probe slot is not told that one is free", drop()),
    Mutant("ended-lanes-leave-blocked-entries", "a lane that ends waits for entries that never start", drop()),
]
