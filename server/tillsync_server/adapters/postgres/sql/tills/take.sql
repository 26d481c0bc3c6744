-- Take requests of a till's allowance: a token bucket in virtual time, shared by all processes; one statement that commits by itself.
-- $1 till, $2 requests wanted by each caller in order, $3 tokens a second, $4 burst, $5 longest wait in seconds: above 0 for orders, which
-- book ahead; 0 for live and bulk work, which takes what is there. $6 and $7 tokens a second and burst while another app of the till is
-- busy.
-- Tokens below zero are waits that are booked. A caller's wait counts everybody before it; those who would wait longer than $5, and all
-- while the till is paused, book nothing. Where orders booked nine requests since live or bulk work took one, one is booked for it too.
-- The bucket is decided on by the value that the lock returned, never by the snapshot's.
-- next_seconds, for live and bulk work: until a request is there, or until the tenth may be, if orders book all that comes meanwhile.
-- Locks: the till's row. Index: till primary key. No row: the till has no bucket yet (ensure_till.sql).
WITH clock AS MATERIALIZED (SELECT now() AS at),
t AS MATERIALIZED (
  SELECT till_id, tokens, refilled_at, paused_until, passed_over, busy_until FROM till WHERE till_id = $1 FOR NO KEY UPDATE),
pace AS MATERIALIZED (
  SELECT CASE WHEN t.busy_until > clock.at THEN $6::float8 ELSE $3::float8 END AS a_second,
    CASE WHEN t.busy_until > clock.at THEN $7::float8 ELSE $4::float8 END AS burst
  FROM t CROSS JOIN clock),
bucket AS MATERIALIZED (
  SELECT t.till_id, t.passed_over, greatest(clock.at, t.refilled_at) AS at, pace.a_second, $5::float8 > 0 AS for_orders,
    -- another process may have refilled it at a later time than this statement began
    least(pace.burst, t.tokens + greatest(0, extract(epoch FROM clock.at - t.refilled_at)::float8) * pace.a_second) AS tokens,
    greatest(0, extract(epoch FROM t.paused_until - clock.at)::float8) AS paused_seconds
  FROM t CROSS JOIN clock CROSS JOIN pace),
wanted AS MATERIALIZED (
  SELECT position, sum(requests) OVER (ORDER BY position) AS requests_so_far
  FROM unnest($2::integer[]) WITH ORDINALITY AS w(requests, position)),
decided AS MATERIALIZED (
  SELECT wanted.position, wanted.requests_so_far, bucket.paused_seconds, bucket.passed_over, bucket.for_orders,
    greatest(0, wanted.requests_so_far - bucket.tokens) / bucket.a_second AS wait_seconds
  FROM bucket LEFT JOIN wanted ON true),
granted AS MATERIALIZED (
  SELECT max(requests_so_far) AS requests FROM decided
  WHERE paused_seconds <= 0 AND (
    /* invariant: only-orders-book-ahead */ wait_seconds <= $5::float8 /* /invariant: only-orders-book-ahead */
    /* invariant: every-tenth-request-is-left-to-others */ OR position = 1 AND passed_over >= 9 AND NOT for_orders
    /* /invariant: every-tenth-request-is-left-to-others */)),
booked AS (
  UPDATE till SET tokens = bucket.tokens - granted.requests, refilled_at = bucket.at,
    passed_over = CASE WHEN bucket.for_orders THEN least(9, bucket.passed_over + granted.requests) ELSE 0 END
  FROM bucket, granted WHERE till.till_id = bucket.till_id AND granted.requests IS NOT NULL
  RETURNING till.till_id)
SELECT decided.position, decided.wait_seconds::float8 AS wait_seconds, decided.paused_seconds::float8 AS paused_seconds,
  decided.requests_so_far <= coalesce(granted.requests, 0) AS is_granted,
  least(
    greatest(0, 1 - (bucket.tokens - coalesce(granted.requests, 0))),
    CASE WHEN granted.requests IS NULL THEN 10 - bucket.passed_over ELSE 10 END) / bucket.a_second AS next_seconds
FROM decided CROSS JOIN granted CROSS JOIN bucket ORDER BY decided.position
