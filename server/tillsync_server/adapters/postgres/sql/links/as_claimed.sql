-- The account's default customer (or NULL), if lease, settings and entry are as they were when the entry was claimed; else no row.
-- $1 account, $2 owner, $3 token, $4 config_version, $5 entry, $6 revision. Takes no lock: what it says stays true under the lane's lock
-- only. Indexes: primary keys of lane, entry and account.
SELECT account.default_epos_customer_id
FROM lane JOIN entry USING (account_id) JOIN account USING (account_id)
WHERE lane.account_id = $1 AND lane.lease_owner = $2 AND lane.lease_token = $3
  /* invariant: order-links-rest-on-current-settings */ AND lane.config_version = $4::bigint
  /* /invariant: order-links-rest-on-current-settings */
  AND entry.entry_id = $5 AND entry.entry_revision = $6 AND entry.state = 1
