-- While another session holds a snapshot open, dead versions stay in tables and indexes. These changes keep statements from reading them.

-- No waiting entry of the lane is due before this time, so claims and releases start there and not at the oldest dead entry of
-- entry_due_by_queue. Releases and renewals raise it. A statement that makes an entry due earlier lowers it under the lane's lock. The
-- previous release does not lower it. It makes no entry due before its transaction began, and the bound stays ten seconds behind the time
-- of the transaction that raises it, longer than such a transaction lasts.
ALTER TABLE lane ADD COLUMN due_from timestamptz NOT NULL DEFAULT '-infinity';

-- Each lease, release and wake-up makes a version of the lane and an entry in each index. With the token in the key, look-ups by account
-- and token, and the check for duplicates, read only the versions of one lease. An account has one lane: the lane is inserted only together
-- with its account, whose key is unique.
ALTER TABLE lane DROP CONSTRAINT lane_pkey;
ALTER TABLE lane ADD CONSTRAINT lane_pkey PRIMARY KEY (account_id, lease_token);

-- The functions below that read `entry` and `lane` forbid sorts and bitmaps, so that only the index with the order can be used. The planner
-- counts live rows, finds one or two, and would otherwise use any index of the account, with every dead entry in it.

-- Returns the highest token of a lane in the caller's snapshot; NULL: no such lane. Index: lane_pkey, backwards.
CREATE FUNCTION newest_token(of_account text) RETURNS bigint LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  RETURN (SELECT lease_token FROM lane WHERE account_id = of_account ORDER BY lease_token DESC LIMIT 1);
END $$;

-- Returns due entries of one class, the oldest first, without those in flight. due_from: the lane's bound. Index: entry_due_by_queue.
CREATE FUNCTION due_entries(
  of_account text, of_queue smallint, of_priority smallint, due_from timestamptz, most integer, in_flight uuid[]
) RETURNS SETOF entry LANGUAGE plpgsql STABLE
SET enable_sort = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
BEGIN
  IF most > 0 THEN
    RETURN QUERY SELECT * FROM entry WHERE account_id = of_account AND state = 1 AND queue = of_queue AND priority = of_priority
      AND due_at BETWEEN due_from AND now() AND entry_id NOT IN (SELECT unnest(in_flight)) ORDER BY due_at, entry_id LIMIT most;
  END IF;
END $$;

-- Returns when a lane next has work, from its entries and its sides: live and any work that waits for no side, work that may probe a paused
-- side, and first_due, the earliest waiting entry, whatever its sides. NULL: none. due_from: the lane's bound, or '-infinity'.
-- It is a function and not a view, because its callers need a snapshot of its own, taken under the lane's lock.
-- Index: entry_due_by_queue (four probes, from the bound).
CREATE FUNCTION lane_times(
  of_account text, till_probe_at timestamptz, shop_probe_at timestamptz, due_from timestamptz,
  OUT live_at timestamptz, OUT run_at timestamptz, OUT probe_at timestamptz, OUT first_due timestamptz
) LANGUAGE plpgsql STABLE SET enable_sort = off SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  live_order timestamptz; bulk_order timestamptz; live_customer timestamptz; bulk_customer timestamptz;
  both_probed_at timestamptz := greatest(till_probe_at, shop_probe_at);
BEGIN
  SELECT min(due_at) FILTER (WHERE queue = 2 AND priority = 1), min(due_at) FILTER (WHERE queue = 2 AND priority = 2),
    min(due_at) FILTER (WHERE queue = 1 AND priority = 1), min(due_at) FILTER (WHERE queue = 1 AND priority = 2)
  INTO live_order, bulk_order, live_customer, bulk_customer
  FROM (VALUES (1, 1), (1, 2), (2, 1), (2, 2)) AS p(queue, priority)
  CROSS JOIN LATERAL (SELECT e.due_at FROM entry e WHERE e.account_id = of_account AND e.state = 1 AND e.queue = p.queue
    AND e.priority = p.priority AND e.due_at >= lane_times.due_from ORDER BY e.due_at LIMIT 1) AS first;
  first_due := least(live_order, bulk_order, live_customer, bulk_customer);
  IF till_probe_at IS NOT NULL THEN
    probe_at := CASE WHEN least(live_order, bulk_order) IS NOT NULL THEN greatest(least(live_order, bulk_order), till_probe_at) END;
    live_order := NULL;
    bulk_order := NULL;
  END IF;
  IF both_probed_at IS NOT NULL THEN
    probe_at := least(probe_at,
      CASE WHEN least(live_customer, bulk_customer) IS NOT NULL THEN greatest(least(live_customer, bulk_customer), both_probed_at) END);
    live_customer := NULL;
    bulk_customer := NULL;
  END IF;
  live_at := least(live_order, live_customer);
  run_at := least(live_at, bulk_order, bulk_customer);
END $$;

-- Returns the highest bound that a lane may have, when called under its lock. No waiting entry is due before it, and no entry of a
-- transaction that waits for the lock now will be. first_due: from lane_times; NULL: no entry waits.
CREATE FUNCTION due_bound(first_due timestamptz, at timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE AS $$
  SELECT least(/* invariant: due-bounds-stop-at-waiting-entries */ first_due, /* /invariant: due-bounds-stop-at-waiting-entries */
    at /* invariant: due-bounds-wait-for-open-transactions */ - interval '10 seconds' /* /invariant: due-bounds-wait-for-open-transactions */)
$$;

-- Releases leased lanes. clean_runs resets the lapses. A lane whose lease has another owner or token stays as it is. True: a released lane
-- is ready; it queues behind the other ready lanes.
-- The lock and the read of the entries are two statements with a snapshot each, so the read sees every hint that was committed before the
-- lock. A single statement would read in a snapshot older than its lock, and lose such a hint.
-- Locks: the lanes, in account order.
CREATE FUNCTION release_lanes(account_ids text[], owners text[], tokens bigint[], clean_runs boolean[]) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := now();
  is_any_ready boolean;
BEGIN
  PERFORM FROM lane WHERE (account_id, lease_token) IN (SELECT * FROM unnest(account_ids, tokens)) ORDER BY account_id FOR UPDATE;
  WITH released AS (
    UPDATE lane SET lease_owner = NULL, lease_expires_at = NULL, lapses = CASE WHEN t.clean THEN 0 ELSE lane.lapses END,
      next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, at) END,
      next_run_at = CASE
        WHEN /* invariant: releases-keep-due-work-ready */ /* invariant: empty-lanes-sleep */
          times.run_at IS NULL
          /* /invariant: empty-lanes-sleep */ /* /invariant: releases-keep-due-work-ready */ THEN 'infinity'
        ELSE greatest(times.run_at, at) END,
      next_probe_at = coalesce(times.probe_at, 'infinity'),
      due_from = due_bound(times.first_due, at)
    FROM unnest(account_ids, owners, tokens, clean_runs) AS t(account_id, owner, token, clean)
    JOIN lane AS mine ON mine.account_id = t.account_id AND mine.lease_owner = t.owner AND mine.lease_token = t.token
    CROSS JOIN LATERAL lane_times(mine.account_id, mine.till_probe_at, mine.shop_probe_at, mine.due_from) AS times
    WHERE lane.account_id = mine.account_id AND lane.lease_token = mine.lease_token
    RETURNING lane.next_run_at <= clock_timestamp() AS ready)
  SELECT coalesce(bool_or(ready), false) INTO is_any_ready FROM released;
  RETURN is_any_ready;
END $$;

-- Renews leases, and raises the bounds of lanes that stay leased for long. Returns the accounts whose lease still has the owner. It uses
-- two statements for the same reason as release_lanes. Locks: the lanes, in account order.
CREATE FUNCTION renew_lanes(account_ids text[], owners text[], tokens bigint[], lease_seconds double precision) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := now();
BEGIN
  PERFORM FROM lane WHERE (account_id, lease_token) IN (SELECT * FROM unnest(account_ids, tokens)) ORDER BY account_id FOR NO KEY UPDATE;
  RETURN QUERY UPDATE lane SET lease_expires_at = at + make_interval(secs => lease_seconds), due_from = due_bound(times.first_due, at)
  FROM unnest(account_ids, owners, tokens) AS t(account_id, owner, token)
  JOIN lane AS mine ON mine.account_id = t.account_id AND mine.lease_owner = t.owner AND mine.lease_token = t.token
  CROSS JOIN LATERAL lane_times(mine.account_id, mine.till_probe_at, mine.shop_probe_at, mine.due_from) AS times
  WHERE lane.account_id = mine.account_id AND lane.lease_token = mine.lease_token
  RETURNING lane.account_id;
END $$;
