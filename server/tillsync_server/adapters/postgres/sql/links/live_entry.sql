-- A live entry a person decides about. $1 account, $2 entry. Under the lane's lock. Index: entry primary key.
SELECT kind, state, subject_id, coalesce(facts ->> 'billing_email', billing_email) AS billing_email,
  (facts ->> 'woo_customer_id')::bigint AS woo_customer_id,
  (facts ->> 'woo_registered_at')::timestamptz AS woo_registered_at, facts IS NOT NULL AS has_facts
FROM entry WHERE account_id = $1 AND entry_id = $2
