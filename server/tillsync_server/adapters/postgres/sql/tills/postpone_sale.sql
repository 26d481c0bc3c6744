-- Have a sale read again. $1 till, $2 transaction, $3 in so many seconds. After lock_till.sql in its transaction. Indexes: primary keys of
-- till_sale and till. Locks: the sale.
WITH clock AS MATERIALIZED (SELECT now() AS at),
moved AS (
  UPDATE till_sale s SET due_at = clock.at + make_interval(secs => $3) FROM clock WHERE s.till_id = $1 AND s.transaction_id = $2
  RETURNING s.till_id, s.due_at)
UPDATE till SET sales_due_at = coalesce(till.sales_due_at, moved.due_at) FROM moved WHERE till.till_id = moved.till_id
