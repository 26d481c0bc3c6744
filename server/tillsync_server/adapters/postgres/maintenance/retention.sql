-- name: delete_intents
-- Deletes create intents that are done and settled long ago: every search finds their customer in the till. Each holds an email. $1 days
-- since they settled, $2 most rows. Open and unknown intents stay until they settle and are replaced. Index: primary key.
DELETE FROM intent WHERE (till_id, email) IN (
  SELECT till_id, email FROM intent WHERE state = 3 AND settled_at < now() - make_interval(days => $1) LIMIT $2)

-- name: delete_tokens
-- Deletes tokens that were revoked long ago. $1 days. The table is small: no index.
DELETE FROM token WHERE revoke_time < now() - make_interval(days => $1)

-- name: delete_versions
-- Deletes the last versions of shop customers that get no more writes: no link, no pending removal, no live entry. $1 days since the write,
-- $2 most rows. A new version is at least the database's time in microseconds (`draw_versions`, migration 0013), so each later version is
-- higher than the deleted one, unless the clock goes back by so many days. Locks: those rows. Indexes: link_account_id_woo_customer_id_key,
-- shop_removal primary key, entry_by_woo_customer.
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
