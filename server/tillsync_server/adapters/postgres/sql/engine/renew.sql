-- Renew the leases that are still ours. $1 accounts, $2 owners, $3 tokens, $4 lease seconds. Locks: the lanes, in account order.
WITH mine AS MATERIALIZED (
  SELECT lane.account_id FROM lane JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS t(account_id, owner, token)
    ON lane.account_id = t.account_id AND lane.lease_owner = t.owner AND lane.lease_token = t.token
  ORDER BY lane.account_id FOR NO KEY UPDATE OF lane)
UPDATE lane SET lease_expires_at = now() + make_interval(secs => $4)
WHERE account_id = ANY (ARRAY(SELECT account_id FROM mine))
RETURNING account_id
