-- Creates of the person at the till, by the account that made them. $1 account, $2 emails, $3 till customers, $4 emails of the person's
-- orders, $5 after this email (of the till), $6 most rows. An order's email may be another person's: of those only a create that has no
-- customer, or may still bring one, counts. Takes no lock. Index: intent_by_account.
SELECT till_id, email, state, epos_customer_id, settled_at, create_time, settled_at > now() AS is_unsettled FROM intent
WHERE account_id = $1 AND (email || ' ' || till_id) > $5
  AND (email = ANY ($2::text[]) OR epos_customer_id = ANY ($3::bigint[])
    OR (email = ANY ($4::text[]) AND (epos_customer_id IS NULL OR settled_at > now())))
ORDER BY email || ' ' || till_id LIMIT $6
