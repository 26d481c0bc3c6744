-- Finished entries get the present form of their emails, unless they have changed meanwhile. $1 account, $2 entries, $3 account and $4
-- billing emails as they were read, $5 and $6 as they are to be. Under the lane's lock. Index: entry_history_by_id.
UPDATE entry_history e SET account_email = t.account_email, billing_email = t.billing_email
FROM unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[])
  AS t(entry_id, account_email_before, billing_email_before, account_email, billing_email)
WHERE e.account_id = $1 AND e.entry_id = t.entry_id AND e.account_email IS NOT DISTINCT FROM t.account_email_before
  AND e.billing_email IS NOT DISTINCT FROM t.billing_email_before
