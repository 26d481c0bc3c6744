-- Writes the shop has confirmed (hash NULL: not known). Only on links that still join the two. $1 account, $2 till and $3 shop customers,
-- $4 hashes, $5 as_of (NULL: keeps), $6 the lease's lapses. After fence.sql in its transaction. Index: link primary key.
UPDATE link SET content_hash = t.content_hash, hash_lapses = $6, as_of = coalesce(t.as_of, link.as_of)
FROM unnest($2::bigint[], $3::bigint[], $4::bytea[], $5::timestamptz[]) AS t(epos_customer_id, woo_customer_id, content_hash, as_of)
WHERE link.account_id = $1 AND link.epos_customer_id = t.epos_customer_id AND link.woo_customer_id = t.woo_customer_id
RETURNING link.woo_customer_id
