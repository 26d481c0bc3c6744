-- name: lock_till
-- Locks a till's row and waits for it, as one statement of a transaction. $1 till. Returns whether the row exists. Index: till primary key.
SELECT true FROM till WHERE till_id = $1 FOR NO KEY UPDATE

-- name: ensure_till
-- Inserts a till's row if it does not exist. $1 till. Index: till primary key.
INSERT INTO till (till_id) VALUES ($1) ON CONFLICT (till_id) DO NOTHING

-- name: take
-- Takes requests of tills' allowances: token buckets in virtual time, shared by all processes. One statement, which commits by itself.
-- Per till, numbered from 1: $1 tills, $2 tokens a second, $3 burst, $4 and $5 the same while another app of the till is busy, $6 longest
-- wait in seconds: above 0 for orders, which book ahead; 0 for live and bulk work, which takes only what is available.
-- Per caller, in order: $7 till number, $8 requests wanted.
-- Returns a row for each caller; for a till without callers, one row without position. No row: another session has locked the till's row,
-- or the till has no bucket yet (`lock_till`, `ensure_till`).
-- Tokens below zero are booked waits. A caller's wait includes all callers before it. A caller that would wait longer than $6 books
-- nothing, and no caller books anything while the till is paused. After orders booked nine requests since the last one of live or bulk
-- work, one is booked for that work even if no token is available. The bucket is decided on by the value that the lock returned, never by
-- the snapshot's. next_seconds, for live and bulk work: seconds until a request is available, or until the tenth is due if orders book
-- everything before it. Locks: the tills' rows, SKIP LOCKED, so that no till delays another. Index: till primary key.
-- The commit does not wait for the disk, because each request would wait for it. A crash of the database loses at most the takes of its
-- last second, and no process asks a till during the restart, which lasts longer.
WITH clock AS MATERIALIZED (SELECT now() AS at, set_config('synchronous_commit', 'off', true)),
asked AS MATERIALIZED (
  SELECT * FROM unnest($1::text[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::float8[]) WITH ORDINALITY
    AS a(till_id, a_second, burst, busy_a_second, busy_burst, longest_wait, till_number)),
t AS MATERIALIZED (
  SELECT till_id, tokens, refilled_at, paused_until, passed_over, busy_until FROM till WHERE till_id = ANY ($1::text[])
  ORDER BY till_id FOR NO KEY UPDATE SKIP LOCKED),
pace AS MATERIALIZED (
  SELECT t.*, asked.till_number, asked.longest_wait,
    CASE WHEN t.busy_until > clock.at THEN asked.busy_a_second ELSE asked.a_second END AS a_second,
    CASE WHEN t.busy_until > clock.at THEN asked.busy_burst ELSE asked.burst END AS burst
  FROM t JOIN asked USING (till_id) CROSS JOIN clock),
bucket AS MATERIALIZED (
  SELECT pace.till_id, pace.till_number, pace.passed_over, greatest(clock.at, pace.refilled_at) AS at, pace.a_second, pace.longest_wait,
    pace.longest_wait > 0 AS for_orders,
    -- another process may have refilled it at a time after this statement began
    least(pace.burst, pace.tokens + greatest(0, extract(epoch FROM clock.at - pace.refilled_at)::float8) * pace.a_second) AS tokens,
    greatest(0, extract(epoch FROM pace.paused_until - clock.at)::float8) AS paused_seconds
  FROM pace CROSS JOIN clock),
wanted AS MATERIALIZED (
  SELECT position, till_number, row_number() OVER line = 1 AS is_first, sum(requests) OVER line AS requests_so_far
  FROM unnest($7::integer[], $8::integer[]) WITH ORDINALITY AS w(till_number, requests, position)
  WINDOW line AS (PARTITION BY till_number ORDER BY position)),
decided AS MATERIALIZED (
  SELECT wanted.position, wanted.is_first, wanted.requests_so_far, bucket.*,
    greatest(0, wanted.requests_so_far - bucket.tokens) / bucket.a_second AS wait_seconds
  FROM bucket LEFT JOIN wanted USING (till_number)),
granted AS MATERIALIZED (
  SELECT till_number, max(requests_so_far) AS requests FROM decided
  WHERE position IS NOT NULL AND paused_seconds <= 0 AND (
    /* invariant: only-orders-book-ahead */ wait_seconds <= longest_wait /* /invariant: only-orders-book-ahead */
    /* invariant: every-tenth-request-is-left-to-others */ OR is_first AND passed_over >= 9 AND NOT for_orders
    /* /invariant: every-tenth-request-is-left-to-others */)
  GROUP BY till_number),
booked AS (
  UPDATE till SET tokens = bucket.tokens - granted.requests, refilled_at = bucket.at,
    passed_over = CASE WHEN bucket.for_orders THEN least(9, bucket.passed_over + granted.requests) ELSE 0 END
  FROM bucket JOIN granted USING (till_number) WHERE till.till_id = bucket.till_id)
SELECT decided.position, decided.till_number, decided.wait_seconds::float8 AS wait_seconds,
  decided.paused_seconds::float8 AS paused_seconds, decided.requests_so_far <= coalesce(granted.requests, 0) AS is_granted,
  least(
    greatest(0, 1 - (decided.tokens - coalesce(granted.requests, 0))),
    CASE WHEN granted.requests IS NULL THEN 10 - decided.passed_over ELSE 10 END) / decided.a_second AS next_seconds
FROM decided LEFT JOIN granted USING (till_number) ORDER BY decided.position

-- name: pause
-- Pauses all requests to a till for $2 seconds; a longer present pause stays. $1 till. Saved tokens are lost.
-- Locks: the till's row. Index: till primary key.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $2) AS until)
INSERT INTO till AS t (till_id, refilled_at, paused_until) SELECT $1, clock.at, clock.until FROM clock
ON CONFLICT (till_id) DO UPDATE SET paused_until = greatest(t.paused_until, excluded.paused_until), tokens = least(t.tokens, 0),
  refilled_at = greatest(t.refilled_at, excluded.refilled_at)

-- name: note_busy
-- Notes that another app of the company is busy: the till refused a request although our part of its limit was not used up. $1 till, $2
-- seconds for which half is taken, $3 our part of $4, the till's limit. If $3 is the whole limit, it is noted only if tokens are left: $5 a
-- second, $6 burst. Locks: the till's row. Index: till primary key.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $2) AS until),
t AS MATERIALIZED (SELECT till_id, tokens, refilled_at, busy_since, busy_until FROM till WHERE till_id = $1 FOR NO KEY UPDATE),
busy AS MATERIALIZED (
  SELECT t.till_id, clock.until, CASE WHEN t.busy_until > clock.at THEN t.busy_since ELSE clock.at END AS since
  FROM t CROSS JOIN clock
  WHERE $3::integer < $4::integer
    OR least($6::float8, t.tokens + greatest(0, extract(epoch FROM clock.at - t.refilled_at)::float8) * $5::float8) >= 1)
UPDATE till SET busy_since = busy.since, busy_until = busy.until, busy_allowance = $3, busy_limit = $4
FROM busy WHERE till.till_id = busy.till_id
