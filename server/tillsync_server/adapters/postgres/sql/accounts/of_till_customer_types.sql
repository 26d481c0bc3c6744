-- The accounts of a till that its customer types concern: switched on, with the bridge, or knowing the type. $1 till, $2 types.
-- Indexes: account_by_till, customer_type primary key. Takes no lock.
SELECT a.account_id, wanted.subject_id
FROM account a CROSS JOIN unnest($2::bigint[]) AS wanted(subject_id)
WHERE a.till_id = $1 AND a.customer_sync_enabled AND (a.shop_bridge_secret IS NOT NULL OR EXISTS (
  SELECT FROM customer_type t WHERE t.account_id = a.account_id AND t.epos_customer_type_id = wanted.subject_id))
ORDER BY a.account_id, wanted.subject_id
