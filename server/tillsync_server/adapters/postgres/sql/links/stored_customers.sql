-- What is stored about till customers, one row each: the link (NULLs where there is none), the shop customers whose values are to be
-- removed, and whether held orders have it to choose from. $1 account, $2 till customers. Takes no lock.
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
