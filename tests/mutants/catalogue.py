"""For each invariant of the engine, and for *never a twin*: a small change that takes a mechanism out, and the tests that must then go red.

A mutant whose text no longer stands exactly once in its file does not apply, which is red too: the mechanism moved, so must the mutant.
"""

from __future__ import annotations

from tests.mutants.mid_run_changes import MID_RUN_CHANGES
from tests.mutants.mutant import Mutant
from tests.mutants.never_a_twin import NEVER_A_TWIN

_POSTGRES = "tillsync_server/adapters/postgres"
_ENGINE = "tillsync_server/application/engine"
_ENQUEUE = "tests/integration/test_enqueue.py"
_LANES = "tests/integration/test_lane_store.py"
_WORKER = "tests/integration/test_worker.py"
_SHOP_STATE = "tests/integration/test_shop_state.py"
_PERMIT = "tests/unit/test_outbound_permit.py"


MUTANTS = [
    Mutant(
        1,
        "answers before the commit",
        f"{_POSTGRES}/hints.py",
        "                return await enqueue_in_transaction(connection, hints, self._notifier)\n",
        "                await connection.execute('BEGIN')\n"
        "                return await enqueue_in_transaction(connection, hints, self._notifier)\n",
        f"{_ENQUEUE} committed_when_it_is_answered",
    ),
    Mutant(
        2,
        "enqueueing decides on the snapshot instead of the locked lane",
        f"{_POSTGRES}/sql/engine/enqueue_hints.sql",
        "ORDER BY account_id FOR NO KEY UPDATE)",
        "ORDER BY account_id)",
        f"{_ENQUEUE} racing_with_a_release",
    ),
    Mutant(
        2,
        "the release does not look again",
        f"{_POSTGRES}/sql/engine/release.sql",
        "next_run_at = CASE WHEN live.due IS NULL AND bulk.due IS NULL THEN 'infinity'",
        "next_run_at = CASE WHEN true THEN 'infinity'",
        f"{_LANES} release_keeps",
    ),
    Mutant(
        2,
        "an empty lane stays ready (GREATEST ignores NULL)",
        f"{_POSTGRES}/sql/engine/release.sql",
        "next_run_at = CASE WHEN live.due IS NULL AND bulk.due IS NULL THEN 'infinity'",
        "next_run_at = CASE WHEN false THEN 'infinity'",
        f"{_LANES} empty_lane_sleeps",
    ),
    Mutant(
        2,
        "the owner of a leased lane is not told about live work",
        f"{_POSTGRES}/hints.py",
        "            notifier.live_work(account_id)",
        "            pass",
        f"{_WORKER} live_work_is_picked_up",
    ),
    Mutant(
        3,
        "completions are not fenced by the token",
        f"{_POSTGRES}/sql/engine/fence.sql",
        "ON lane.account_id = t.account_id AND lane.lease_owner = t.owner AND lane.lease_token = t.token",
        "ON lane.account_id = t.account_id",
        f"{_LANES} stale_owner",
    ),
    Mutant(
        3,
        "a write starts however little of the lease is left",
        f"{_ENGINE}/lease_clock.py",
        "        if left < self._settings.write_minimum_seconds:",
        "        if False:",
        "tests/unit/test_lease_clock.py",
    ),
    Mutant(
        3,
        "the permit is not asked before the headers",
        "tillsync_server/adapters/outbound/write_permission.py",
        "        self._ask()\n        self.may_have_left = True\n",
        "        self.may_have_left = True\n",
        f"{_PERMIT} before_the_headers",
    ),
    Mutant(
        3,
        "the permit is not asked again in the last step, before the body",
        "tillsync_server/adapters/outbound/write_permission.py",
        "        if self._chunks == 1:\n",
        "        if False:\n",
        f"{_PERMIT} after_the_headers_hook",
    ),
    Mutant(
        3,
        "a create at the till asks for no permit",
        "tillsync_server/adapters/epos/requests.py",
        "            permit=permit,\n            fresh_connection",
        "            permit=None,\n            fresh_connection",
        "tests/unit/test_epos_answers.py refused_permit",
    ),
    Mutant(
        3,
        "a write to the shop asks for no permit",
        "tillsync_server/adapters/woo/requests.py",
        "                permit=permit,\n",
        "                permit=None,\n",
        "tests/unit/test_woo_bridge_on_emulator.py permit or lease",
    ),
    Mutant(
        3,
        "versions do not rise when the clock is turned back",
        f"{_POSTGRES}/sql/links/next_versions.sql",
        "greatest(v.last_version + 1, excluded.last_version)",
        "excluded.last_version",
        f"{_SHOP_STATE} above_the_last",
    ),
    Mutant(
        3,
        "a lane that was lost draws versions, and writes",
        f"{_POSTGRES}/sql/engine/fence.sql",
        "AND lane.lease_owner = t.owner AND lane.lease_token = t.token",
        "AND lane.lease_owner IS NOT NULL",
        f"{_SHOP_STATE} draws_versions",
    ),
    Mutant(
        3,
        "a stale write counts as applied",
        "tillsync_server/application/flows/customer_flow.py",
        "            if result.status is not WriteStatus.STALE:\n",
        "            if True:\n",
        "tests/unit/test_customer_flow.py stale",
    ),
    Mutant(
        4,
        "a run-out lease is nobody's",
        f"{_POSTGRES}/sql/engine/lease.sql",
        "WHERE account_id = ANY (ARRAY(SELECT account_id FROM taken))",
        "WHERE lease_owner IS NULL AND account_id = ANY (ARRAY(SELECT account_id FROM taken))",
        f"{_WORKER} lapsed_lease",
    ),
    Mutant(
        5,
        "a hint that came during the run is swallowed by its end",
        f"{_POSTGRES}/sql/engine/finish.sql",
        "AND e.entry_revision = r.revision AND e.state = 1",
        "AND e.state = 1",
        f"{_LANES} revision_moved",
    ),
    Mutant(
        5,
        "a hint does not raise the revision",
        f"{_POSTGRES}/sql/engine/enqueue_hints.sql",
        "entry_revision = e.entry_revision + 1,",
        "entry_revision = e.entry_revision,",
        f"{_WORKER} hint_during_the_run",
    ),
    Mutant(
        6,
        "a decision stands although settings changed meanwhile",
        f"{_POSTGRES}/lane_store.py",
        "                == completion.entry.config_version\n",
        "                is not None\n",
        f"{_LANES} settings_that_changed",
    ),
    Mutant(
        7,
        "one entry at a time in every lane",
        f"{_ENGINE}/lane_runner.py",
        "    yield entry.kind, entry.subject_id\n",
        '    yield "lane"\n',
        f"{_WORKER} stuck_subject",
    ),
    Mutant(
        7,
        "one locked lane fails everybody's batch",
        f"{_POSTGRES}/hints.py",
        "            return await self._enqueue_by_account(hints)",
        "            raise",
        f"{_ENQUEUE} locked_lane",
    ),
    Mutant(
        7,
        "an entry that kills the process is never charged",
        f"{_ENGINE}/lane_runner.py",
        "        self._charges_first = lease.lapses >= services.settings.lapses_before_single",
        "        self._charges_first = False",
        f"{_WORKER} charged_first or used_up",
    ),
    Mutant(
        8,
        "attempts never run out",
        "tillsync_server/domain/backoff.py",
        "        return charged_attempts >= self.max_attempts",
        "        return False",
        "tests/unit/test_settlement.py last_attempt",
    ),
    Mutant(
        8,
        "an account-wide failure does not pause the lane",
        f"{_POSTGRES}/lane_store.py",
        "        if paused:\n",
        "        if False:\n",
        f"{_LANES} pause_holds",
    ),
    *MID_RUN_CHANGES,
    *NEVER_A_TWIN,
]
