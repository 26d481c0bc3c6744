-- The till still has these customers. $1 account, $2 till customers, $3 the database's time. After fence.sql in its transaction.
-- Index: link primary key.
UPDATE link SET epos_read_at = $3 WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[])
