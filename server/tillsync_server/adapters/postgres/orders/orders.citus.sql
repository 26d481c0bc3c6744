-- name: store
-- As in orders.sql, by the function of migration 0020.
SELECT lease_token, lapses FROM store_orders_stepwise($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
