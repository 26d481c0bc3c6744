-- The oldest due sale of each till, charged with an attempt, and when the till's next one may be read. $1 tills, $2 seconds until a sale
-- whose reader died is due again, $3 seconds between two reads of a till times its requests a minute, $4 most seconds until a
-- till is looked at again whose sales are put off. A till without any has no time.
-- After lock_ready_for_sales.sql in its transaction, and a statement of its own: what was committed before the lock is seen.
-- Indexes: till_sale_due, primary keys of account and till. Locks: the sales.
WITH clock AS MATERIALIZED (SELECT now() AS at),
due AS MATERIALIZED (
  SELECT oldest.till_id, oldest.transaction_id FROM unnest($1::text[]) AS t(till_id) CROSS JOIN clock CROSS JOIN LATERAL (
    SELECT s.till_id, s.transaction_id FROM till_sale s
    WHERE s.till_id = t.till_id AND s.due_at <= clock.at ORDER BY s.due_at, s.transaction_id LIMIT 1) AS oldest),
claimed AS (
  UPDATE till_sale s SET due_at = clock.at + make_interval(secs => $2), attempt_count = s.attempt_count + 1
  FROM due CROSS JOIN clock WHERE s.till_id = due.till_id AND s.transaction_id = due.transaction_id
  RETURNING s.till_id, s.transaction_id, s.account_id, s.revision, s.attempt_count, clock.at - s.create_time AS waited),
following AS MATERIALIZED (
  SELECT t.till_id, make_interval(secs => $3::float8 / a.epos_requests_per_minute) AS pace,
    (SELECT min(s.due_at) FROM till_sale s WHERE s.till_id = t.till_id) AS first_due, $4::float8 AS most_seconds
  FROM unnest($1::text[]) AS t(till_id) LEFT JOIN claimed USING (till_id) LEFT JOIN account a USING (account_id)),
paced AS (
  UPDATE till SET sales_due_at = CASE
    WHEN following.pace IS NOT NULL
    THEN clock.at /* invariant: sales-leave-the-allowance-to-others */ + following.pace /* /invariant: sales-leave-the-allowance-to-others */
    WHEN following.first_due IS NOT NULL THEN least(following.first_due, clock.at + make_interval(secs => following.most_seconds)) END
  FROM following CROSS JOIN clock WHERE till.till_id = following.till_id)
SELECT till_id, transaction_id, account_id, revision, attempt_count, extract(epoch FROM waited)::float8 AS waited_seconds
FROM claimed ORDER BY till_id
