-- The person's live entries, but those that remove our values from the shop. $1 account, $2 emails, $3 shop and $4 till customers,
-- $5 most rows. Under the lane's lock. Indexes: entry_by_account_email, entry_by_billing_email, entry_by_woo_customer, entry_by_epos_customer,
-- entry_live, shop_removal_by_epos.
SELECT e.entry_id, e.kind, e.subject_id FROM entry e
WHERE e.account_id = $1 AND e.entry_id = ANY (ARRAY(
  SELECT entry_id FROM entry WHERE account_id = $1 AND account_email = ANY ($2::text[])
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND billing_email = ANY ($2::text[])
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND woo_customer_id = ANY ($3::bigint[])
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND queue = ANY ('{1,2}'::smallint[]) AND epos_customer_id = ANY ($4::bigint[])
    AND outcome IS DISTINCT FROM 14
  UNION SELECT entry_id FROM entry WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($4::bigint[])))
  AND NOT (e.kind = 1 AND EXISTS (SELECT FROM shop_removal r WHERE r.account_id = $1 AND r.epos_customer_id = e.subject_id))
ORDER BY e.entry_id LIMIT $5
