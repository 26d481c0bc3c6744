-- name: insert_or_lock_till
-- Locks the row of a till, and inserts it if it does not exist. $1 till. Locks: the till (after lanes).
INSERT INTO till AS t (till_id) VALUES ($1) ON CONFLICT (till_id) DO UPDATE SET till_id = t.till_id

-- name: add_sales
-- Adds sales of a till to read, or raises the revision of sales that wait already. $1 till, $2 account, $3 transactions, each once, $4 most
-- that may wait. Adds nothing if more than $4 would wait. A till that has a time for its next sale keeps it, because that is its pace or a
-- pause. Returns how many were added or raised. After `insert_or_lock_till` in its transaction. Indexes: primary keys of till_sale and
-- till.
-- Locks: the sales.
WITH clock AS MATERIALIZED (SELECT now() AS at),
waiting AS MATERIALIZED (SELECT count(*) AS sales FROM (SELECT FROM till_sale WHERE till_id = $1 LIMIT $4) AS w),
added AS (
  INSERT INTO till_sale AS s (till_id, transaction_id, account_id, due_at, create_time)
  SELECT $1, given.transaction_id, $2, clock.at, clock.at
  FROM unnest($3::bigint[]) AS given(transaction_id) CROSS JOIN clock CROSS JOIN waiting
  WHERE waiting.sales + cardinality($3::bigint[]) <= $4
  ORDER BY given.transaction_id
  ON CONFLICT (till_id, transaction_id) DO UPDATE SET revision = s.revision + 1
  RETURNING s.transaction_id),
woken AS (
  UPDATE till SET sales_due_at = coalesce(till.sales_due_at, clock.at) FROM clock WHERE till.till_id = $1 AND EXISTS (SELECT FROM added))
SELECT count(*) FROM added

-- name: lock_ready_for_sales
-- Locks tills of which a sale may be read now. $1 most tills. Index: till_sales_due. Locks: the tills. It skips a locked till, because the
-- session with the lock asks for its sales again.
SELECT till_id FROM till WHERE sales_due_at <= now() ORDER BY sales_due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED

-- name: claim_sales
-- Claims the oldest due sale of each till, charges an attempt, and stores when the till's next sale may be read. $1 tills, $2 seconds until
-- a sale whose reader died is due again, $3 seconds between two reads of a till multiplied by its requests a minute, $4 most seconds until
-- a till with only postponed sales is checked again. A till without sales gets no time.
-- After `lock_ready_for_sales` in its transaction, as a statement of its own: its snapshot has everything
-- committed before the lock. Indexes: till_sale_due, primary keys of account and till. Locks: the sales.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $2) AS again, now() + make_interval(secs => $4::float8) AS latest),
due AS MATERIALIZED (
  SELECT oldest.till_id, oldest.transaction_id FROM unnest($1::text[]) AS t(till_id) CROSS JOIN clock CROSS JOIN LATERAL (
    SELECT s.till_id, s.transaction_id FROM till_sale s
    WHERE s.till_id = t.till_id AND s.due_at <= clock.at ORDER BY s.due_at, s.transaction_id LIMIT 1) AS oldest),
claimed AS (
  UPDATE till_sale s SET due_at = clock.again, attempt_count = s.attempt_count + 1
  FROM due CROSS JOIN clock WHERE s.till_id = due.till_id AND s.transaction_id = due.transaction_id
  RETURNING s.till_id, s.transaction_id, s.account_id, s.revision, s.attempt_count, clock.at - s.create_time AS waited),
following AS MATERIALIZED (
  SELECT t.till_id, clock.latest, a.account_id IS NOT NULL AS is_paced,
    clock.at /* invariant: sales-leave-the-allowance-to-others */ + read.pace /* /invariant: sales-leave-the-allowance-to-others */ AS paced_at,
    (SELECT min(s.due_at) FROM till_sale s WHERE s.till_id = t.till_id) AS first_due
  FROM clock CROSS JOIN unnest($1::text[]) AS t(till_id) LEFT JOIN claimed USING (till_id) LEFT JOIN account a USING (account_id)
  CROSS JOIN LATERAL (SELECT make_interval(secs => $3::float8 / a.epos_requests_per_minute) AS pace) AS read),
paced AS (
  UPDATE till SET sales_due_at = CASE
    WHEN following.is_paced THEN following.paced_at
    WHEN following.first_due IS NOT NULL THEN least(following.first_due, following.latest) END
  FROM following WHERE till.till_id = following.till_id)
SELECT till_id, transaction_id, account_id, revision, attempt_count, extract(epoch FROM waited)::float8 AS waited_seconds
FROM claimed ORDER BY till_id

-- name: finish_sale
-- Deletes a sale that was read, unless a later call raised its revision. $1 till, $2 transaction, $3 revision. Index: till_sale primary
-- key. Locks: the sale.
DELETE FROM till_sale WHERE till_id = $1 AND transaction_id = $2 AND revision = $3 RETURNING 1

-- name: postpone_sale
-- Makes a sale due again. $1 till, $2 transaction, $3 seconds until then. After `insert_or_lock_till` in its transaction. Indexes: primary
-- keys of till_sale and till. Locks: the sale.
WITH clock AS MATERIALIZED (SELECT now() AS at),
moved AS (
  UPDATE till_sale s SET due_at = clock.at + make_interval(secs => $3) FROM clock WHERE s.till_id = $1 AND s.transaction_id = $2
  RETURNING s.till_id, s.due_at)
UPDATE till SET sales_due_at = coalesce(till.sales_due_at, moved.due_at) FROM moved WHERE till.till_id = moved.till_id

-- name: pause_sales
-- Pauses the reading of a till's sales. $1 till, $2 transaction, whose attempt is not charged after all, $3 seconds. After
-- `insert_or_lock_till` in its transaction. Indexes: primary keys of till_sale and till. Locks: the sale.
WITH clock AS MATERIALIZED (SELECT now() AS at, now() + make_interval(secs => $3) AS again),
moved AS (
  UPDATE till_sale s SET due_at = clock.at, attempt_count = s.attempt_count - 1 FROM clock WHERE s.till_id = $1 AND s.transaction_id = $2)
UPDATE till SET sales_due_at = clock.again FROM clock WHERE till.till_id = $1

-- name: seconds_until_sale
-- Returns the seconds until a sale of the next till may be read (negative: now). No row: no sale waits. Takes no lock.
-- Index: till_sales_due.
SELECT extract(epoch FROM sales_due_at - clock_timestamp())::float8 FROM till WHERE sales_due_at IS NOT NULL ORDER BY sales_due_at LIMIT 1
