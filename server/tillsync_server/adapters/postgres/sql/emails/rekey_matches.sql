-- Answers of orders get the present form of their emails and the hash made of it, unless they have changed meanwhile. $1 account,
-- $2 orders, $3 account and $4 billing emails and $5 hashes as they were read, $6, $7 and $8 as they are to be. Under the lane's lock.
-- Index: order_match primary key.
UPDATE order_match m SET account_email = t.account_email, billing_email = t.billing_email, facts_hash = t.facts_hash
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::bytea[])
  AS t(order_id, account_email_before, billing_email_before, facts_hash_before, account_email, billing_email, facts_hash)
WHERE m.account_id = $1 AND m.order_id = t.order_id AND m.facts_hash = t.facts_hash_before
  AND m.account_email IS NOT DISTINCT FROM t.account_email_before AND m.billing_email IS NOT DISTINCT FROM t.billing_email_before
