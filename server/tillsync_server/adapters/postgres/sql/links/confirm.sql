-- Writes the shop has confirmed (hash NULL: not known). Only on links that still join the two, as they are under the lane's lock: a link
-- that changed while this waited is looked at again, one that came meanwhile counts as changed. $1 account, $2 owner, $3 token, $4 till and
-- $5 shop customers, $6 hashes, $7 as_of (NULL: keeps), $8 the lease's lapses. No row where the lease is another's.
-- Locks: the lane, then the links. Indexes: lane and link primary keys.
WITH mine AS MATERIALIZED (
  SELECT account_id FROM lane WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
UPDATE link SET content_hash = t.content_hash, hash_lapses = $8, as_of = coalesce(t.as_of, link.as_of)
FROM mine CROSS JOIN unnest($4::bigint[], $5::bigint[], $6::bytea[], $7::timestamptz[])
  AS t(epos_customer_id, woo_customer_id, content_hash, as_of)
WHERE link.account_id = mine.account_id AND link.epos_customer_id = t.epos_customer_id AND link.woo_customer_id = t.woo_customer_id
RETURNING link.woo_customer_id
