-- Held orders that a till customer with another email decides differently, in order of arrival. $1 account, $2 the till customer, $3 forms of
-- its email now, $4 the addresses that its email holds, $5 whether they wait for another reason than the email, $6 the outcome "several
-- customers have this email", $7 limit. One of several: no longer one of them. Otherwise a candidate with another spelling: it has the email
-- now, or does not even resemble it. Index: entry_held_by_candidate.
SELECT entry_id FROM entry
WHERE account_id = $1 AND state = 4 AND candidate_ids && ARRAY[$2::bigint]
  AND CASE WHEN $6::smallint IN (outcome, coalesce(cause, outcome)) THEN
      NOT (coalesce(account_email, '') = ANY ($3::text[]) OR coalesce(billing_email, '') = ANY ($3::text[]))
    ELSE
      (NOT $5::boolean AND (account_email = ANY ($3::text[]) OR billing_email = ANY ($3::text[])) IS TRUE)
      OR NOT (coalesce(account_email, '') = ANY ($4::text[]) OR coalesce(billing_email, '') = ANY ($4::text[]))
    END
ORDER BY entry_id LIMIT $7
