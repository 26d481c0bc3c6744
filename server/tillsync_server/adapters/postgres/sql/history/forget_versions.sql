-- Forget the versions last written for shop customers to whom nothing is to be written: no link, no pending removal, no live entry. $1 days
-- since the write, $2 rows at most. A new version is at least the database's time in microseconds (links/next_versions), so every one that
-- is drawn later is higher than what is forgotten, unless the clock goes back by so many days. Locks: those rows. Indexes:
-- link_account_id_woo_customer_id_key, shop_removal primary key, entry_by_woo_customer.
WITH limits AS (SELECT (extract(epoch FROM now() - make_interval(days => $1)) * 1000000)::bigint AS oldest)
DELETE FROM shop_version v USING limits
WHERE v.last_version < limits.oldest AND (v.account_id, v.subject_kind, v.subject_id) IN (
  SELECT old.account_id, old.subject_kind, old.subject_id FROM shop_version old CROSS JOIN limits
  WHERE old.subject_kind = 1 AND old.last_version < limits.oldest
    AND NOT EXISTS (SELECT FROM link l WHERE l.account_id = old.account_id AND l.woo_customer_id = old.subject_id)
    AND NOT EXISTS (SELECT FROM shop_removal r WHERE r.account_id = old.account_id AND r.woo_customer_id = old.subject_id)
    AND NOT EXISTS (
      SELECT FROM entry e
      WHERE e.account_id = old.account_id AND e.queue = ANY ('{1,2}'::smallint[]) AND e.woo_customer_id = old.subject_id)
  LIMIT $2)
