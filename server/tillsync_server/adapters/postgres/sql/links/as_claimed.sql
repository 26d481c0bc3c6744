-- What an order's link rests on, if lease, settings and entry are as they were when the entry was claimed; else no row. One row for each link
-- of either customer (at most one each), or one without a link. Each has the account's default customer (or NULL) and the HELD orders of the
-- shop customer, in order of arrival. $1 account, $2 owner, $3 token, $4 config_version, $5 entry, $6 revision, $7 till and $8 shop customer
-- (or NULL: no links and no orders), $9 most held orders. Takes no lock: what it says stays true under the lane's lock only.
-- Indexes: primary keys of lane, entry, account and link, link_account_id_woo_customer_id_key, entry_by_woo_customer.
SELECT account.default_epos_customer_id,
  ARRAY(SELECT held.entry_id FROM entry AS held WHERE held.account_id = $1 AND held.queue = 2 AND held.state = 4
    AND held.woo_customer_id = $8::bigint AND held.entry_id <> $5 ORDER BY held.entry_id LIMIT $9) AS held_entry_ids,
  link.*
FROM lane JOIN entry USING (account_id) JOIN account USING (account_id)
LEFT JOIN LATERAL (
  SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
    woo_registered_at, epos_read_at, ground
  FROM link WHERE account_id = $1 AND epos_customer_id = $7::bigint
  UNION
  SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
    woo_registered_at, epos_read_at, ground
  FROM link WHERE account_id = $1 AND woo_customer_id = $8::bigint) AS link ON true
WHERE lane.account_id = $1 AND lane.lease_owner = $2 AND lane.lease_token = $3
  /* invariant: order-links-rest-on-current-settings */ AND lane.config_version = $4::bigint
  /* /invariant: order-links-rest-on-current-settings */
  AND entry.entry_id = $5 AND entry.entry_revision = $6 AND entry.state = 1
