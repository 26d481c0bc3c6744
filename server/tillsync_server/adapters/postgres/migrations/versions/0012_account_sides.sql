-- The sides of an account (1 till, 2 shop) that have ever had a problem, and the problem. problem_reason NULL: the side is not paused. The
-- lane has the time of a paused side's probe, and its lock also guards this row.
CREATE TABLE account_side (
  account_id text NOT NULL REFERENCES account,
  side smallint NOT NULL CHECK (side IN (1, 2)),
  failures integer NOT NULL DEFAULT 0,
  problem_reason smallint,
  problem_text text,
  problem_since timestamptz,
  problem_entry_id uuid,
  -- the entry that opened the last problem, and how often in a row; both outlive the problem
  opened_by uuid,
  times_opened integer NOT NULL DEFAULT 0,
  PRIMARY KEY (account_id, side)
);

-- till_probe_at, shop_probe_at: when the paused side is probed; NULL: it is not paused. next_run_at and next_live_at are for work that
-- waits for no side; next_probe_at is when work that waits for a paused side may probe it. The previous release still uses paused_until and
-- problem_….
ALTER TABLE lane ADD COLUMN till_probe_at timestamptz, ADD COLUMN shop_probe_at timestamptz,
  ADD COLUMN next_probe_at timestamptz NOT NULL DEFAULT 'infinity';
INSERT INTO account_side (account_id, side, failures, problem_reason, problem_text, problem_since, problem_entry_id)
SELECT account_id, problem_side, greatest(pause_count, 1), problem_reason, problem_text, problem_since, problem_entry_id
FROM lane WHERE problem_reason IS NOT NULL AND problem_side IS NOT NULL;
WITH clock AS MATERIALIZED (SELECT now() AS at)
UPDATE lane SET till_probe_at = CASE WHEN problem_side = 1 THEN coalesce(paused_until, clock.at) END,
  shop_probe_at = CASE WHEN problem_side = 2 THEN coalesce(paused_until, clock.at) END, next_run_at = least(next_run_at, clock.at)
FROM clock WHERE problem_reason IS NOT NULL AND problem_side IS NOT NULL;
CREATE INDEX lane_probe ON lane (next_probe_at) WHERE lease_expires_at IS NULL AND next_probe_at < 'infinity';
CREATE INDEX entry_due_by_queue ON entry (account_id, queue, priority, due_at, entry_id) WHERE state = 1;

-- The lane of an account with the problems of its sides, one row an account.
CREATE VIEW account_state AS
SELECT lane.account_id, lane.config_version, lane.till_probe_at, lane.shop_probe_at,
  till.problem_reason AS till_reason, till.problem_text AS till_text, till.problem_since AS till_since, till.problem_entry_id AS till_entry_id,
  shop.problem_reason AS shop_reason, shop.problem_text AS shop_text, shop.problem_since AS shop_since, shop.problem_entry_id AS shop_entry_id
FROM lane
LEFT JOIN account_side till ON till.account_id = lane.account_id AND till.side = 1 AND till.problem_reason IS NOT NULL
LEFT JOIN account_side shop ON shop.account_id = lane.account_id AND shop.side = 2 AND shop.problem_reason IS NOT NULL;
