-- A new link, unless one of the two has one (then no row). Nothing is to be removed from the shop customer any more. $1 account, $2 till and
-- $3 shop customer, $4 origin, $5 the database's time, $6 when the shop user registered (or NULL), $7 ground. Under the lane's lock.
-- Indexes: primary keys of link and shop_removal, link_account_id_woo_customer_id_key.
WITH dropped AS (DELETE FROM shop_removal WHERE account_id = $1 AND woo_customer_id = $3)
INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, create_time, woo_registered_at, ground)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING
RETURNING account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
