-- Take requests of a till's allowance that are there, for live and bulk work; the bucket is that of take.sql. $1 till, $2 most requests,
-- $3 tokens a second, $4 burst, $5 and $6 the same while another app of the till is busy.
-- Where orders booked nine requests since the last one was taken here, the next one is booked for the caller.
-- next_seconds: until a request is there, or until the tenth may be, if all that comes meanwhile is booked by orders.
-- Locks: the till's row. Index: till primary key. No row: the till has no bucket yet (ensure_till.sql).
WITH clock AS MATERIALIZED (SELECT now() AS at),
t AS MATERIALIZED (
  SELECT till_id, tokens, refilled_at, paused_until, passed_over, busy_until FROM till WHERE till_id = $1 FOR NO KEY UPDATE),
pace AS MATERIALIZED (
  SELECT CASE WHEN t.busy_until > clock.at THEN $5::float8 ELSE $3::float8 END AS a_second,
    CASE WHEN t.busy_until > clock.at THEN $6::float8 ELSE $4::float8 END AS burst
  FROM t CROSS JOIN clock),
bucket AS MATERIALIZED (
  SELECT t.till_id, t.passed_over, greatest(clock.at, t.refilled_at) AS at,
    least(pace.burst, t.tokens + greatest(0, extract(epoch FROM clock.at - t.refilled_at)::float8) * pace.a_second) AS tokens,
    greatest(0, extract(epoch FROM t.paused_until - clock.at)::float8) AS paused_seconds
  FROM t CROSS JOIN clock CROSS JOIN pace),
decided AS MATERIALIZED (
  SELECT bucket.*, CASE
    WHEN bucket.paused_seconds > 0 THEN 0
    /* invariant: only-orders-book-ahead */ WHEN bucket.tokens >= 1 THEN least($2::integer, floor(bucket.tokens))
    /* /invariant: only-orders-book-ahead */
    /* invariant: every-tenth-request-is-left-to-others */ WHEN bucket.passed_over >= 9 THEN 1
    /* /invariant: every-tenth-request-is-left-to-others */
    ELSE 0 END::integer AS requests
  FROM bucket),
taken AS (
  UPDATE till SET tokens = decided.tokens - decided.requests, refilled_at = decided.at, passed_over = 0
  FROM decided WHERE till.till_id = decided.till_id AND decided.requests > 0
  RETURNING till.till_id)
SELECT decided.requests, greatest(0, decided.requests - decided.tokens) / pace.a_second AS wait_seconds,
  least(
    greatest(0, 1 - (decided.tokens - decided.requests)),
    CASE WHEN decided.requests > 0 THEN 10 ELSE 10 - decided.passed_over END) / pace.a_second AS next_seconds,
  coalesce(decided.paused_seconds, 0)::float8 AS paused_seconds
FROM decided CROSS JOIN pace
