-- What the shop holds of a type, or that it is not known (hash NULL); $5 whether the till has it no more. $1 account, $2 type, $3 hash,
-- $4 the lease's lapses, $6 the database's time. After fence.sql in its transaction. Index: customer_type primary key.
INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash, hash_lapses, gone_at, update_time)
VALUES ($1, $2, $3, $4, CASE WHEN $5::boolean THEN $6::timestamptz END, $6)
ON CONFLICT (account_id, epos_customer_type_id) DO UPDATE SET content_hash = excluded.content_hash, hash_lapses = excluded.hash_lapses,
  gone_at = excluded.gone_at, update_time = excluded.update_time
