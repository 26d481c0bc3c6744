-- The till refused a request although our part of its limit was not used up: another app of the company is busy. $1 till, $2 seconds for
-- which half is taken, $3 our part of $4, the till's limit. Where $3 is the whole limit, only if tokens are left: $5 a second, $6 burst.
-- Locks: the till's row. Index: till primary key.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $2) AS until),
t AS MATERIALIZED (SELECT till_id, tokens, refilled_at, busy_since, busy_until FROM till WHERE till_id = $1 FOR NO KEY UPDATE),
busy AS MATERIALIZED (
  SELECT t.till_id, clock.until, CASE WHEN t.busy_until > clock.at THEN t.busy_since ELSE clock.at END AS since
  FROM t CROSS JOIN clock
  WHERE $3::integer < $4::integer
    OR least($6::float8, t.tokens + greatest(0, extract(epoch FROM clock.at - t.refilled_at)::float8) * $5::float8) >= 1)
UPDATE till SET busy_since = busy.since, busy_until = busy.until, busy_allowance = $3, busy_limit = $4
FROM busy WHERE till.till_id = busy.till_id
