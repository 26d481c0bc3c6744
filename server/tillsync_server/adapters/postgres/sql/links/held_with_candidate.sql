-- Held orders with a till customer as candidate that does not have their email (any more), in order of arrival. $1 account, $2 the till
-- customer, $3 its normalised email, $4 limit. Index: entry_held_by_candidate.
SELECT entry_id FROM entry
WHERE account_id = $1 AND state = 4 AND candidate_ids && ARRAY[$2::bigint] AND account_email IS DISTINCT FROM $3::text
  AND billing_email IS DISTINCT FROM $3::text
ORDER BY entry_id LIMIT $4
