-- Sales of a till to be read, or told again. $1 till, $2 account, $3 transactions, each once, $4 most that may wait. Nothing is added where
-- more than $4 would wait. A till that has a time for its next sale keeps it: that is its pace, or a pause. Returns how many were taken.
-- After lock_till.sql in its transaction. Indexes: primary keys of till_sale and till. Locks: the sales.
WITH clock AS MATERIALIZED (SELECT now() AS at),
waiting AS MATERIALIZED (SELECT count(*) AS sales FROM (SELECT FROM till_sale WHERE till_id = $1 LIMIT $4) AS w),
added AS (
  INSERT INTO till_sale AS s (till_id, transaction_id, account_id, due_at, create_time)
  SELECT $1, told.transaction_id, $2, clock.at, clock.at
  FROM unnest($3::bigint[]) AS told(transaction_id) CROSS JOIN clock CROSS JOIN waiting
  WHERE waiting.sales + cardinality($3::bigint[]) <= $4
  ORDER BY told.transaction_id
  ON CONFLICT (till_id, transaction_id) DO UPDATE SET revision = s.revision + 1
  RETURNING s.transaction_id),
woken AS (
  UPDATE till SET sales_due_at = coalesce(till.sales_due_at, clock.at) FROM clock WHERE till.till_id = $1 AND EXISTS (SELECT FROM added))
SELECT count(*) FROM added
