-- Held orders of guests with one billing email, in order of arrival. $1 account, $2 forms of the email, $3 an entry to leave out (or NULL),
-- $4 limit, $5 an outcome to leave out (or NULL). Index: entry_by_billing_email or entry_by_state.
SELECT entry_id, facts ->> 'billing_email' AS raw_email FROM entry
WHERE account_id = $1 AND billing_email = ANY ($2::text[]) AND queue = 2 AND state = 4 AND woo_customer_id IS NULL
  AND entry_id IS DISTINCT FROM $3::uuid AND outcome IS DISTINCT FROM $5::smallint
ORDER BY entry_id LIMIT $4
