-- Creates of the person at the till, by the account that made them. $1 account, $2 emails, $3 till customers, $4 after this email (of the
-- till), $5 most rows. Takes no lock. Index: intent_by_account.
SELECT till_id, email, state, epos_customer_id, settled_at, create_time, settled_at > now() AS is_unsettled FROM intent
WHERE account_id = $1 AND (email = ANY ($2::text[]) OR epos_customer_id = ANY ($3::bigint[])) AND (email || ' ' || till_id) > $4
ORDER BY email || ' ' || till_id LIMIT $5
