-- Seconds until a sale of the next till may be read (negative: it may be read now). No row: no sale waits. Takes no lock.
-- Index: till_sales_due.
SELECT extract(epoch FROM sales_due_at - clock_timestamp())::float8 FROM till WHERE sales_due_at IS NOT NULL ORDER BY sales_due_at LIMIT 1
