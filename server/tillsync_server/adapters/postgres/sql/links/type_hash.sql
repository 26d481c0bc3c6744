-- The hash of a type as the shop confirmed it, unless the lane lapsed since. $1 account, $2 type, $3 the lease's lapses.
-- Index: customer_type primary key.
SELECT content_hash FROM customer_type WHERE account_id = $1 AND epos_customer_type_id = $2 AND hash_lapses >= $3
