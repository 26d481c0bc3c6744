-- The till still has these customers. $1 account, $2 owner, $3 token, $4 till customers. Nothing where the lease is another's.
-- Locks: the lane, then the links. Indexes: lane and link primary keys.
WITH clock AS MATERIALIZED (SELECT now() AS at),
mine AS MATERIALIZED (
  SELECT account_id FROM lane WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
UPDATE link SET epos_read_at = clock.at FROM mine CROSS JOIN clock
WHERE link.account_id = mine.account_id AND link.epos_customer_id = ANY ($4::bigint[])
