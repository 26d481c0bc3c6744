-- Versions for writes to the shop, stored as last sent; they outlive links (until history/forget_versions). $1 account, $2 subject kind
-- (1 shop customers, 2 types), $3 subjects, $4 versions to go above, $5 the database's time in microseconds. After fence.sql in its
-- transaction. Index: shop_version primary key.
INSERT INTO shop_version AS v (account_id, subject_kind, subject_id, last_version)
SELECT $1, $2, subject_id, greatest(at_least + 1, $5::bigint) FROM unnest($3::bigint[], $4::bigint[]) AS t(subject_id, at_least)
ON CONFLICT (account_id, subject_kind, subject_id) DO UPDATE SET last_version =
  /* invariant: versions-always-rise */ greatest(v.last_version + 1, excluded.last_version) /* /invariant: versions-always-rise */
RETURNING subject_id, last_version
