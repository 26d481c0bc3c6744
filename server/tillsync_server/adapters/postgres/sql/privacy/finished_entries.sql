-- The person's finished entries. $1 account, $2 emails, $3 shop and $4 till customers, $5 most rows. Under the lane's lock.
-- Indexes: entry_history_by_… account_email, billing_email, woo_customer, epos_customer, subject.
SELECT entry_id FROM entry_history WHERE account_id = $1 AND account_email = ANY ($2::text[])
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND billing_email = ANY ($2::text[])
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND woo_customer_id = ANY ($3::bigint[])
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND epos_customer_id = ANY ($4::bigint[])
  AND outcome IS DISTINCT FROM 14
UNION SELECT entry_id FROM entry_history WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($4::bigint[])
ORDER BY entry_id LIMIT $5
