-- name: enqueue_hints
-- As in hints.sql, by the function of migration 0020.
SELECT * FROM enqueue_hints_stepwise($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
