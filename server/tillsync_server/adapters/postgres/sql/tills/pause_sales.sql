-- Read no sale of a till for a while. $1 till, $2 transaction, whose attempt is given back, $3 seconds. After lock_till.sql in its
-- transaction. Indexes: primary keys of till_sale and till. Locks: the sale.
WITH clock AS MATERIALIZED (SELECT now() AS at),
moved AS (
  UPDATE till_sale s SET due_at = clock.at, attempt_count = s.attempt_count - 1 FROM clock WHERE s.till_id = $1 AND s.transaction_id = $2)
UPDATE till SET sales_due_at = clock.at + make_interval(secs => $3) FROM clock WHERE till.till_id = $1
