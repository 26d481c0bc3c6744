-- Book requests of a till's allowance ahead, for orders: a token bucket in virtual time, shared by all processes; one statement that commits
-- by itself. $1 till, $2 requests wanted by each caller in order, $3 tokens a second, $4 burst, $5 longest wait in seconds, $6 and $7 tokens
-- a second and burst while another app of the till is busy.
-- Tokens below zero are waits that are booked. A caller's wait counts everybody before it; those who would wait longer than $5, and all
-- while the till is paused, book nothing. The bucket is decided on by the value that the lock returned, never by the snapshot's.
-- Locks: the till's row. Index: till primary key. No row: the till has no bucket yet (ensure_till.sql).
WITH clock AS MATERIALIZED (SELECT now() AS at),
t AS MATERIALIZED (
  SELECT till_id, tokens, refilled_at, paused_until, passed_over, busy_until FROM till WHERE till_id = $1 FOR NO KEY UPDATE),
pace AS MATERIALIZED (
  SELECT CASE WHEN t.busy_until > clock.at THEN $6::float8 ELSE $3::float8 END AS a_second,
    CASE WHEN t.busy_until > clock.at THEN $7::float8 ELSE $4::float8 END AS burst
  FROM t CROSS JOIN clock),
bucket AS MATERIALIZED (
  SELECT t.till_id, t.passed_over, greatest(clock.at, t.refilled_at) AS at,
    -- another process may have refilled it at a later time than this statement began
    least(pace.burst, t.tokens + greatest(0, extract(epoch FROM clock.at - t.refilled_at)::float8) * pace.a_second) AS tokens,
    greatest(0, extract(epoch FROM t.paused_until - clock.at)::float8) AS paused_seconds
  FROM t CROSS JOIN clock CROSS JOIN pace),
wanted AS MATERIALIZED (
  SELECT position, sum(requests) OVER (ORDER BY position) AS requests_so_far
  FROM unnest($2::integer[]) WITH ORDINALITY AS w(requests, position)),
decided AS MATERIALIZED (
  SELECT wanted.position, wanted.requests_so_far, bucket.paused_seconds,
    greatest(0, wanted.requests_so_far - bucket.tokens) / pace.a_second AS wait_seconds
  FROM wanted CROSS JOIN bucket CROSS JOIN pace),
booked AS (
  UPDATE till SET tokens = bucket.tokens - granted.requests, refilled_at = bucket.at,
    passed_over = least(9, bucket.passed_over + granted.requests)
  FROM bucket, (SELECT max(requests_so_far) AS requests FROM decided WHERE wait_seconds <= $5 AND paused_seconds <= 0) AS granted
  WHERE till.till_id = bucket.till_id AND granted.requests IS NOT NULL
  RETURNING till.till_id)
SELECT position, wait_seconds::float8 AS wait_seconds, coalesce(paused_seconds, 0)::float8 AS paused_seconds
FROM decided ORDER BY position
