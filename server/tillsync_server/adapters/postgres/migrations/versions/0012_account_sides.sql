-- The sides of an account (1 till, 2 shop) that have ever had a problem, and what they are met with. problem_reason NULL: the side is well.
-- When an ill side is probed stands in the lane, under whose lock this row is written too.
CREATE TABLE account_side (
  account_id text NOT NULL REFERENCES account,
  side smallint NOT NULL CHECK (side IN (1, 2)),
  failures integer NOT NULL DEFAULT 0,
  problem_reason smallint,
  problem_text text,
  problem_since timestamptz,
  problem_entry_id uuid,
  -- the entry that opened the last problem, and how often it did so in a row; they outlive the problem
  opened_by uuid,
  times_opened integer NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, side)
);

-- till_probe_at, shop_probe_at: when the ill side is probed; NULL: it is well. next_run_at and next_live_at are of work whose sides are well;
-- next_probe_at is when work that waits for an ill side may probe it. The previous release goes on with paused_until and problem_….
ALTER TABLE lane ADD COLUMN till_probe_at timestamptz, ADD COLUMN shop_probe_at timestamptz,
  ADD COLUMN next_probe_at timestamptz NOT NULL DEFAULT 'infinity';
INSERT INTO account_side (account_id, side, failures, problem_reason, problem_text, problem_since, problem_entry_id)
SELECT account_id, problem_side, greatest(pause_count, 1), problem_reason, problem_text, problem_since, problem_entry_id
FROM lane WHERE problem_reason IS NOT NULL AND problem_side IS NOT NULL;
UPDATE lane SET till_probe_at = CASE problem_side WHEN 1 THEN coalesce(paused_until, now()) END,
  shop_probe_at = CASE problem_side WHEN 2 THEN coalesce(paused_until, now()) END, next_run_at = least(next_run_at, now())
WHERE problem_reason IS NOT NULL AND problem_side IS NOT NULL;
CREATE INDEX lane_probe ON lane (next_probe_at) WHERE lease_expires_at IS NULL AND next_probe_at < 'infinity';
CREATE INDEX entry_due_by_queue ON entry (account_id, queue, priority, due_at, entry_id) WHERE state = 1;

-- When a lane next has work, from its entries and its sides: live and any work whose sides are well, and work that may probe an ill side.
-- NULL: none. A function and not a view, because its callers look with a snapshot of their own, taken under the lane's lock.
-- Index: entry_due_by_queue (four probes).
CREATE FUNCTION lane_times(
  of_account text, till_probe_at timestamptz, shop_probe_at timestamptz,
  OUT live_at timestamptz, OUT run_at timestamptz, OUT probe_at timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  live_order timestamptz; bulk_order timestamptz; live_customer timestamptz; bulk_customer timestamptz;
  both_probed_at timestamptz := greatest(till_probe_at, shop_probe_at);
BEGIN
  SELECT min(due_at) FILTER (WHERE queue = 2 AND priority = 1), min(due_at) FILTER (WHERE queue = 2 AND priority = 2),
    min(due_at) FILTER (WHERE queue = 1 AND priority = 1), min(due_at) FILTER (WHERE queue = 1 AND priority = 2)
  INTO live_order, bulk_order, live_customer, bulk_customer
  FROM (VALUES (1, 1), (1, 2), (2, 1), (2, 2)) AS p(queue, priority)
  CROSS JOIN LATERAL (SELECT e.due_at FROM entry e WHERE e.account_id = of_account AND e.state = 1 AND e.queue = p.queue
    AND e.priority = p.priority ORDER BY e.due_at LIMIT 1) AS first;
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

-- Gives leased lanes back. clean_runs resets the lapses. A lane whose lease has another owner or token stays as it is. True: a released lane
-- is ready; it goes to the back of the line.
-- The lock and the look at the entries are two statements: each takes a snapshot of its own, so the look sees every hint that was
-- committed before the lock was had. One statement would look with a snapshot older than its lock, and lose such a hint.
-- Locks: the lanes, in account order.
CREATE FUNCTION release_lanes(account_ids text[], owners text[], tokens bigint[], clean_runs boolean[]) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  is_any_ready boolean;
BEGIN
  PERFORM FROM lane WHERE account_id = ANY (account_ids) ORDER BY account_id FOR UPDATE;
  WITH released AS (
    UPDATE lane SET lease_owner = NULL, lease_expires_at = NULL, lapses = CASE WHEN t.clean THEN 0 ELSE lane.lapses END,
      next_live_at = CASE WHEN times.live_at IS NULL THEN 'infinity' ELSE greatest(times.live_at, now()) END,
      next_run_at = CASE
        WHEN times.run_at IS NULL THEN 'infinity'
        ELSE greatest(times.run_at, now()) END,
      next_probe_at = coalesce(times.probe_at, 'infinity')
    FROM unnest(account_ids, owners, tokens, clean_runs) AS t(account_id, owner, token, clean)
    JOIN lane AS mine ON mine.account_id = t.account_id AND mine.lease_owner = t.owner AND mine.lease_token = t.token
    CROSS JOIN LATERAL lane_times(mine.account_id, mine.till_probe_at, mine.shop_probe_at) AS times
    WHERE lane.account_id = mine.account_id
    RETURNING lane.next_run_at <= clock_timestamp() AS ready)
  SELECT coalesce(bool_or(ready), false) INTO is_any_ready FROM released;
  RETURN is_any_ready;
END $$;

-- How an account's lane stands and why: one row an account.
CREATE VIEW account_state AS
SELECT lane.account_id, lane.config_version, lane.till_probe_at, lane.shop_probe_at,
  till.problem_reason AS till_reason, till.problem_text AS till_text, till.problem_since AS till_since, till.problem_entry_id AS till_entry_id,
  shop.problem_reason AS shop_reason, shop.problem_text AS shop_text, shop.problem_since AS shop_since, shop.problem_entry_id AS shop_entry_id
FROM lane
LEFT JOIN account_side till ON till.account_id = lane.account_id AND till.side = 1 AND till.problem_reason IS NOT NULL
LEFT JOIN account_side shop ON shop.account_id = lane.account_id AND shop.side = 2 AND shop.problem_reason IS NOT NULL;
