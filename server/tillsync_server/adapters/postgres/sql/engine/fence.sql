-- Lock the lanes whose lease is still ours; what is not returned is dropped by the caller. Always first, in account order. A process may
-- ask for two leases of one lane, one that ran out and the one after: each row says which it is for.
-- $1 accounts, $2 owners, $3 tokens. Brings the database's time for the statements that follow.
SELECT lane.account_id, t.owner, t.token, lane.config_version, now() AS at
FROM lane JOIN unnest($1::text[], $2::text[], $3::bigint[]) AS t(account_id, owner, token)
  ON lane.account_id = t.account_id
    /* invariant: stale-leases-change-nothing */
    AND lane.lease_owner = t.owner AND lane.lease_token = t.token
    /* /invariant: stale-leases-change-nothing */
ORDER BY lane.account_id FOR UPDATE OF lane
