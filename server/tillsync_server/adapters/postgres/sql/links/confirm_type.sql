-- What the shop holds of a type, or that it is not known (hash NULL); $7 whether the till has it no more. $1 account, $2 owner, $3 token,
-- $4 type, $5 hash, $6 the lease's lapses. Nothing where the lease is another's. Locks: the lane, then the type.
-- Indexes: lane and customer_type primary keys.
WITH clock AS MATERIALIZED (SELECT now() AS at),
mine AS MATERIALIZED (
  SELECT account_id FROM lane WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash, hash_lapses, gone_at, update_time)
SELECT mine.account_id, $4, $5, $6, CASE WHEN $7::boolean THEN clock.at END, clock.at FROM mine CROSS JOIN clock
ON CONFLICT (account_id, epos_customer_type_id) DO UPDATE SET content_hash = excluded.content_hash, hash_lapses = excluded.hash_lapses,
  gone_at = excluded.gone_at, update_time = excluded.update_time
