"""Mutants of the engine. Every accepted entry is processed, in order per customer, once per lease, and by one process at a time."""

from __future__ import annotations

from mutants.mutant import Mutant, becomes, begins_with, condition, drop, value

ENGINE = [
    # durability and wake-ups
    Mutant("accepted-hints-are-committed", "enqueueing answers before the commit", begins_with("await BOUND.execute('BEGIN')")),
    Mutant("wake-ups-use-the-locked-lane", "enqueueing decides on the statement's snapshot instead of the locked lane row", drop()),
    Mutant("releases-keep-due-work-ready", "a release does not look for entries that arrived during the run", becomes("true")),
    Mutant("empty-lanes-sleep", "an empty lane stays ready", becomes("false")),
    Mutant(
        "locked-lanes-may-have-a-newer-token",
        "enqueueing does not find a lane that was leased while it waited for the lock",
        becomes("lane.lease_token = newest.lease_token"),
    ),
    Mutant("earlier-entries-lower-the-bound", "an entry that is due before the lane's bound does not lower the bound", drop()),
    Mutant("due-bounds-stop-at-waiting-entries", "a release raises the bound beyond waiting entries", becomes("NULL::timestamptz,")),
    Mutant(
        "due-bounds-wait-for-open-transactions",
        "a release raises the bound beyond entries of transactions that wait for the lane's lock",
        drop(),
    ),
    Mutant("sweeps-look-before-the-bound", "the sweep does not lower a bound that is too high", drop()),
    Mutant("leases-look-from-lanes-left", "a lease skips ready lanes that the previous lease left", becomes("NULL::timestamptz,")),
    Mutant("leases-wait-for-open-transactions", "a lease skips lanes that an open transaction makes ready", drop()),
    Mutant("sweeps-look-at-all-lanes", "no lease after the first one reads all lanes", drop()),
    Mutant("webhooks-wake-every-account-of-the-till", "a webhook wakes only the account of its address", drop()),
    Mutant("webhook-secrets-in-each-encoding", "the server compares a webhook's secret in UTF-8 only", value("('utf-8',)")),
    Mutant("sales-leave-the-allowance-to-others", "the service reads sales as fast as the till answers", drop()),
    Mutant("live-work-is-told-to-the-owner", "the owner of a leased lane gets no notification of live work", drop()),
    Mutant("leased-lanes-hear-of-new-work", "the runner of a leased lane ignores the notification of new work", drop()),
    Mutant("early-wake-ups-are-kept", "the worker drops a notification that arrives before the answer to the lease", drop()),
    Mutant("postponed-entries-wake-their-lane", "the runner of a leased lane forgets a postponed entry", drop()),
    # one owner for each lane
    Mutant("completions-are-fenced", "completions do not match the lease's token", drop()),
    Mutant("lost-lanes-claim-nothing", "a process that has lost the lane claims entries", drop()),
    Mutant("versions-are-drawn-by-the-owner", "a process that has lost the lane draws versions, and writes", drop()),
    Mutant("stale-leases-change-nothing", "a process that has lost the lane marks links as gone and removals as done", drop()),
    Mutant("writes-need-enough-lease", "a write starts with any remaining time of the lease", condition("False")),
    Mutant("permit-before-headers", "the client sends the headers without checking the permit", drop()),
    Mutant("permit-before-body", "the client sends the body without checking the permit again", condition("False")),
    Mutant("till-creates-need-a-permit", "a create at the till does not check the permit", value("None")),
    Mutant("shop-writes-need-a-permit", "a write to the shop does not check the permit", value("None")),
    Mutant("versions-always-rise", "versions do not rise after the clock is turned back", becomes("excluded.last_version")),
    Mutant("stray-json-is-no-answer", "any JSON that a shop prints counts as its answer", condition("True")),
    Mutant("stale-writes-are-not-applied", "a stale write counts as applied", condition("True")),
    Mutant("account-problems-are-probed-first", "a failure of one entry pauses the account without a probe", condition("True")),
    Mutant("hints-lease-no-leased-lane", "a hint leases a lane that another process owns", drop()),
    Mutant("orders-lease-no-leased-lane", "an order leases a lane that another process owns", drop()),
    # recovery
    Mutant("lost-answers-are-told", "a lane whose lease was never answered waits until the lease expires", drop()),
    Mutant("lost-answers-free-no-other-lease", "a lost answer releases the lease of another owner", drop()),
    Mutant("lapsed-leases-are-taken-over", "a lapsed lease keeps its owner", becomes("lease_owner IS NULL AND IT")),
    Mutant("stops-end-lanes", "lanes claim more entries after a stop", drop()),
    # order per customer
    Mutant("hints-during-a-run-survive", "a completion drops a hint that arrived during the run", drop()),
    Mutant(
        "moved-entries-are-claimed-again",
        "the runner does not claim an entry again whose revision was raised during the run",
        condition("False"),
    ),
    Mutant("hints-raise-the-revision", "a hint does not raise the revision", drop()),
    # settings
    Mutant("changed-settings-void-decisions", "the service stores a decision although settings have changed", drop()),
    # isolation and fairness
    Mutant("subjects-exclude-only-themselves", "each lane runs one entry at a time", value("'lane'")),
    Mutant(
        "busy-accounts-enqueue-by-themselves",
        "hints of an account with a locked lane delay other accounts again and again",
        condition("True"),
    ),
    Mutant(
        "locked-lanes-delay-no-other-account", "one locked lane fails the whole batch, with the hints of all accounts", becomes("raise")
    ),
    Mutant(
        "a-locked-lane-delays-no-other-accounts-orders",
        "the service stores the orders of all accounts one account after the other",
        becomes("taken = await self._taking.submit(AccountId('all'), order)"),
    ),
    Mutant("crashing-entries-are-charged-first", "an entry that kills the process is never charged an attempt", value("False")),
    Mutant("no-class-fills-the-lane", "one class of work fills the whole lane", value("0")),
    Mutant(
        "bulk-lanes-wait-for-the-database",
        "the worker leases bulk lanes although the database cannot keep up",
        value("slots.free_lanes_for_bulk"),
    ),
    Mutant("bulk-work-takes-no-reserved-slot", "bulk work takes slots that are reserved for live work", value("self.free")),
    # retries
    Mutant("attempts-run-out", "the number of attempts has no limit", value("False")),
    Mutant("account-wide-failures-make-their-side-wait", "an account-wide failure does not pause its side", condition("False")),
    Mutant(
        "the-end-of-a-problem-charges-nobody", "the entry that runs when a side's problem ends is charged an attempt", condition("False")
    ),
    Mutant(
        "an-entrys-fault-stops-only-itself",
        "an entry opens its side's problem again, however often other entries close it",
        condition("True"),
    ),
    Mutant("probes-have-a-bounded-share", "the number of concurrent probes has no limit", condition("False")),
    Mutant("free-probe-slots-are-told", "a lane that waits for a probe slot gets no signal when a slot is free", drop()),
    Mutant("ended-lanes-leave-blocked-entries", "an ending lane waits for blocked entries, which never start", drop()),
]
