-- Another shop, or another way to write to it: nothing is known of the types it holds. $1 account.
-- Runs after lock_lane.sql in its transaction. Index: customer_type primary key.
UPDATE customer_type SET content_hash = NULL WHERE account_id = $1 AND content_hash IS NOT NULL
