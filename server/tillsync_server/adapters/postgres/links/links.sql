-- name: by_epos
-- Returns links of till customers. $1 account, $2 till customers. Index: link primary key.
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[])

-- name: of_either
-- Returns the links of either customer: at most one each. $1 account, $2 till and $3 shop customer (or NULL).
-- Indexes: link primary key, link_account_id_woo_customer_id_key.
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link WHERE account_id = $1 AND epos_customer_id = $2
UNION
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link WHERE account_id = $1 AND woo_customer_id = $3

-- name: list
-- Returns a page of links by ascending till customer. $1 account, $2 till and $3 shop customer (NULL: any), $4 only broken links, $5 after
-- this till customer, $6 limit, $7 only links by an email that was never confirmed. Custom plans remove the unused filters.
-- Indexes: link primary key, link_account_id_woo_customer_id_key, link_broken, link_unconfirmed.
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM link
WHERE account_id = $1 AND epos_customer_id > $5 AND ($2::bigint IS NULL OR epos_customer_id = $2)
  AND ($3::bigint IS NULL OR woo_customer_id = $3)
  AND (NOT $4::boolean OR epos_gone_at IS NOT NULL OR woo_gone_at IS NOT NULL)
  AND (NOT $7::boolean OR (ground IN (1, 3) AND origin <> 3))
ORDER BY epos_customer_id LIMIT $6

-- name: default_customer
-- Returns the till customer that guest orders go to, which cannot be linked. $1 account. Under the lane's lock, which UpdateAccount takes
-- too.
SELECT default_epos_customer_id FROM account WHERE account_id = $1

-- name: insert
-- Inserts a link, unless one of the two customers has one (then no row). Drops a pending removal of the shop customer. $1 account, $2 till
-- and $3 shop customer, $4 origin, $5 the database's time, $6 when the shop user registered (or NULL), $7 ground. Under the lane's lock.
-- Indexes: primary keys of link and shop_removal, link_account_id_woo_customer_id_key.
WITH dropped AS (DELETE FROM shop_removal WHERE account_id = $1 AND woo_customer_id = $3)
INSERT INTO link (account_id, epos_customer_id, woo_customer_id, origin, create_time, woo_registered_at, ground)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT DO NOTHING
RETURNING account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground

-- name: delete
-- Deletes links. $1 account, $2 their till customers. Under the lane's lock. Index: link primary key.
DELETE FROM link WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[])

-- name: mark_gone
-- Makes links of customers that are proven gone unusable. $1 account, $2 till and $3 shop customers, $4 the database's time, $5 the till
-- customers that the shop customers were found linked to (empty: any). Returns the links that were usable until now.
-- Under the lane's lock. Indexes: link primary key, link_account_id_woo_customer_id_key.
WITH found AS MATERIALIZED (
  SELECT epos_customer_id, epos_gone_at IS NULL AND woo_gone_at IS NULL AS was_usable,
    epos_customer_id = ANY ($2::bigint[]) AS is_epos_gone,
    woo_customer_id = ANY ($3::bigint[]) AND ($5::bigint[] = '{}' OR epos_customer_id = ANY ($5::bigint[])) AS is_woo_gone
  FROM link WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))),
marked AS (
  UPDATE link SET
    epos_gone_at = CASE WHEN f.is_epos_gone THEN coalesce(epos_gone_at, $4::timestamptz) ELSE epos_gone_at END,
    woo_gone_at = CASE WHEN f.is_woo_gone THEN coalesce(woo_gone_at, $4::timestamptz) ELSE woo_gone_at END
  FROM found f
  WHERE link.account_id = $1 AND link.epos_customer_id = f.epos_customer_id AND (f.is_epos_gone OR f.is_woo_gone)
  RETURNING link.*, f.was_usable)
SELECT account_id, epos_customer_id, woo_customer_id, origin, create_time, content_hash, hash_lapses, as_of, epos_gone_at, woo_gone_at,
  woo_registered_at, epos_read_at, ground
FROM marked WHERE was_usable ORDER BY epos_customer_id

-- name: raise_order_revisions
-- Raises the revision of order entries that may be running on the old links, so that their decisions do not count (invariant 6). $1
-- account, $2 shop and $3 till customers, $4 the entry that decides (or NULL), $5 the database's time, $6 a shop customer whose orders stay
-- as they are (or NULL). Only due entries can be running. At most 500, the earliest due first.
-- Under the lane's lock. Indexes: entry_by_woo_customer and entry_by_epos_customer, or entry_by_state for many customers.
UPDATE entry SET entry_revision = entry_revision + 1, update_time = $5
WHERE account_id = $1 AND entry_id = ANY (ARRAY(
  SELECT entry_id FROM entry
  WHERE account_id = $1 AND queue = 2 AND state = 1 AND due_at <= $5 AND entry_id IS DISTINCT FROM $4::uuid
    /* invariant: links-raise-only-what-they-change */ AND ($6::bigint IS NULL OR woo_customer_id IS DISTINCT FROM $6::bigint)
    /* /invariant: links-raise-only-what-they-change */
    AND (woo_customer_id = ANY ($2::bigint[]) OR epos_customer_id = ANY ($3::bigint[]))
  ORDER BY due_at, entry_id LIMIT 500))

-- name: order_link_basis
-- Returns what an order's link rests on, or no row if lease, settings or entry changed after the claim. There is one row for each link of
-- either customer (at most one each), or one row without a link. Each has the account's default customer (or NULL) and the HELD orders of
-- the shop customer, in order of arrival. $1 account, $2 owner, $3 token, $4 config_version, $5 entry, $6 revision, $7 till and $8 shop
-- customer (or NULL: no links and no orders), $9 most held orders. Takes no lock: the result stays true only under the lane's lock.
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

-- name: confirm_person
-- Stores that the shop customer of a link exists and when it registered. If it was marked gone, the hash is cleared, because the shop's
-- values are unknown. $1 account, $2 till and $3 shop customer, $4 the time. After `fence` in its transaction. Index: link primary key.
UPDATE link SET woo_registered_at = $4, woo_gone_at = NULL, content_hash = CASE WHEN woo_gone_at IS NULL THEN content_hash END
WHERE account_id = $1 AND epos_customer_id = $2 AND woo_customer_id = $3

-- name: mark_made_by_hand
-- Marks an existing link as made by hand, after a person made the same link. $1 account, $2 till customer. Under the lane's lock.
-- Index: link primary key.
UPDATE link SET origin = 3, ground = 4 WHERE account_id = $1 AND epos_customer_id = $2

-- name: is_marked
-- Returns whether a person unlinked this shop customer. $1 account, $2 shop customer. Index: link_mark primary key.
SELECT EXISTS (SELECT FROM link_mark WHERE account_id = $1 AND woo_customer_id = $2)

-- name: set_mark
-- Marks a shop customer that a person unlinked, so that no link is made automatically. $1 account, $2 shop customer, $3 the database's
-- time. Index: link_mark primary key.
INSERT INTO link_mark (account_id, woo_customer_id, create_time) VALUES ($1, $2, $3) ON CONFLICT (account_id, woo_customer_id) DO NOTHING

-- name: clear_mark
-- Clears the mark when a person links this shop customer again. $1 account, $2 shop customer. Under the lane's lock.
-- Index: link_mark primary key.
DELETE FROM link_mark WHERE account_id = $1 AND woo_customer_id = $2 RETURNING true

-- name: clear_mark_before
-- Clears the mark of a deleted shop user. $1 account, $2 shop customer, $3 when the user was deleted: a later mark belongs to another user.
-- Under the lane's lock. Index: link_mark primary key.
DELETE FROM link_mark WHERE account_id = $1 AND woo_customer_id = $2 AND create_time <= $3
