-- name: stored_customers
-- Returns what is stored about till customers, one row each: the link (NULLs without one), the shop customers whose values are to be
-- removed, and whether held orders have it as a candidate. $1 account, $2 till customers. Takes no lock.
-- Indexes: link primary key, shop_removal_by_epos, entry_held_by_candidate.
WITH removals AS MATERIALIZED (
  SELECT epos_customer_id, array_agg(woo_customer_id ORDER BY woo_customer_id) AS woo_customer_ids
  FROM shop_removal WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[]) GROUP BY epos_customer_id),
candidates AS MATERIALIZED (
  SELECT DISTINCT candidate FROM entry, unnest(candidate_ids) AS candidate
  WHERE account_id = $1 AND state = 4 AND candidate_ids && $2::bigint[] AND candidate = ANY ($2::bigint[]))
SELECT wanted.id AS wanted_id, link.account_id, link.epos_customer_id, link.woo_customer_id, link.origin, link.create_time, link.content_hash,
  link.hash_lapses, link.as_of, link.epos_gone_at, link.woo_gone_at, link.woo_registered_at, link.epos_read_at, link.ground,
  coalesce(removals.woo_customer_ids, '{}') AS removals, candidates.candidate IS NOT NULL AS is_candidate
FROM unnest($2::bigint[]) AS wanted(id)
LEFT JOIN link ON link.account_id = $1 AND link.epos_customer_id = wanted.id
LEFT JOIN removals ON removals.epos_customer_id = wanted.id
LEFT JOIN candidates ON candidates.candidate = wanted.id

-- name: draw_versions
-- Draws versions for writes to the shop (function of migration 0013). $1 account, $2 owner, $3 token, $4 subject kind (1 shop customers,
-- 2 types), $5 subjects, $6 versions to exceed, $7 the update_time of the settings (NULL: not checked), $8 the till customers that they
-- must be linked to, NULL for a subject to remove (all NULL: not checked), $9 shop customers whose removal must still be pending.
SELECT subject, version FROM draw_versions($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: confirm
-- Stores writes that the shop confirmed (hash NULL: unknown). It changes only links that still join the two customers under the lane's
-- lock: a link that changed while this waited is checked again, and a link made since counts as changed. $1 account, $2 owner, $3 token, $4
-- till and $5 shop customers, $6 hashes, $7 as_of (NULL: keeps), $8 the lease's lapses. No row if another process has the lease.
-- Locks: the lane, then the links. Indexes: lane and link primary keys.
WITH own_lane AS MATERIALIZED (
  SELECT account_id FROM lane WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
UPDATE link SET content_hash = t.content_hash, hash_lapses = $8, as_of = coalesce(t.as_of, link.as_of)
FROM own_lane CROSS JOIN unnest($4::bigint[], $5::bigint[], $6::bytea[], $7::timestamptz[])
  AS t(epos_customer_id, woo_customer_id, content_hash, as_of)
WHERE link.account_id = own_lane.account_id AND link.epos_customer_id = t.epos_customer_id AND link.woo_customer_id = t.woo_customer_id
RETURNING link.woo_customer_id

-- name: note_read
-- Stores that the till still has these customers. $1 account, $2 owner, $3 token, $4 till customers. Changes nothing if another process has
-- the lease. Locks: the lane, then the links. Indexes: lane and link primary keys.
WITH clock AS MATERIALIZED (SELECT now() AS at),
own_lane AS MATERIALIZED (
  SELECT account_id FROM lane WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
UPDATE link SET epos_read_at = clock.at FROM own_lane CROSS JOIN clock
WHERE link.account_id = own_lane.account_id AND link.epos_customer_id = ANY ($4::bigint[])

-- name: clear_hashes
-- Clears the hashes of these shop customers, because the shop's values are unknown until their next write is confirmed. $1 account, $2 shop
-- customers. Returns the linked till customers. Under the lane's lock. Index: link_account_id_woo_customer_id_key.
UPDATE link SET content_hash = NULL WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[])
RETURNING epos_customer_id

-- name: type_hash
-- Returns the confirmed hash of a type, unless the lane has lapsed since. $1 account, $2 type, $3 the lease's lapses.
-- Index: customer_type primary key.
SELECT content_hash FROM customer_type WHERE account_id = $1 AND epos_customer_type_id = $2 AND hash_lapses >= $3

-- name: confirm_type
-- Stores the hash of a type that the shop confirmed (NULL: unknown), and whether the till still has the type ($7: it does not). $1 account,
-- $2 owner, $3 token, $4 type, $5 hash, $6 the lease's lapses. Changes nothing if another process has the lease. Locks: the lane, then the
-- type. Indexes: lane and customer_type primary keys.
WITH clock AS MATERIALIZED (SELECT now() AS at),
own_lane AS MATERIALIZED (
  SELECT account_id FROM lane WHERE account_id = $1 AND lease_owner = $2 AND lease_token = $3 FOR UPDATE)
INSERT INTO customer_type (account_id, epos_customer_type_id, content_hash, hash_lapses, gone_at, update_time)
SELECT own_lane.account_id, $4, $5, $6, CASE WHEN $7::boolean THEN clock.at END, clock.at FROM own_lane CROSS JOIN clock
ON CONFLICT (account_id, epos_customer_type_id) DO UPDATE SET content_hash = excluded.content_hash, hash_lapses = excluded.hash_lapses,
  gone_at = excluded.gone_at, update_time = excluded.update_time

-- name: request_removals
-- Requests that the next entry of the till customer removes our values from the shop customers that were linked to it. $1 account, $2 shop
-- and $3 till customers, $4 the database's time. Under the lane's lock. Index: shop_removal primary key.
INSERT INTO shop_removal (account_id, woo_customer_id, epos_customer_id, create_time)
SELECT $1, woo_customer_id, epos_customer_id, $4 FROM unnest($2::bigint[], $3::bigint[]) AS t(woo_customer_id, epos_customer_id)
ON CONFLICT (account_id, woo_customer_id) DO UPDATE SET epos_customer_id = excluded.epos_customer_id, create_time = excluded.create_time

-- name: drop_removals
-- Drops pending removals. $1 account, $2 shop customers. Under the lane's lock. Index: shop_removal primary key.
DELETE FROM shop_removal WHERE account_id = $1 AND woo_customer_id = ANY ($2::bigint[])
