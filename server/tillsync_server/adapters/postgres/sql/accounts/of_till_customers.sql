-- The accounts of a till that its customers concern: switched on, with a link to the customer, be it broken, or with a held order that has
-- the customer to choose from. $1 till, $2 till customers. Indexes: account_by_till, link primary key, entry_held_by_candidate. No lock.
SELECT a.account_id, l.epos_customer_id AS subject_id
FROM account a JOIN link l ON l.account_id = a.account_id AND l.epos_customer_id = ANY ($2::bigint[])
WHERE a.till_id = $1 AND a.customer_sync_enabled
UNION
SELECT a.account_id, candidate
FROM account a JOIN entry e ON e.account_id = a.account_id AND e.state = 4 AND e.candidate_ids && $2::bigint[],
  unnest(e.candidate_ids) AS candidate
WHERE a.till_id = $1 AND a.customer_sync_enabled AND candidate = ANY ($2::bigint[])
ORDER BY account_id, subject_id
