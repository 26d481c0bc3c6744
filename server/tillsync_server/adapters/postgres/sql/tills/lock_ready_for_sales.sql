-- Tills of which a sale may be read now, locked. $1 most tills. Index: till_sales_due. Locks: the tills; one that is locked is passed over,
-- as whoever has it comes by again.
SELECT till_id FROM till WHERE sales_due_at <= now() ORDER BY sales_due_at LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED
