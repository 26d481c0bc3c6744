-- Order entries that may be running on links as they were: what they decide is not their last word (invariant 6). $1 account, $2 shop and
-- $3 till customers, $4 the entry that decides (or NULL), $5 the database's time, $6 a shop customer whose orders are left as they are (or
-- NULL). Only due ones can be running, the first ones first.
-- Under the lane's lock. Indexes: entry_by_woo_customer and entry_by_epos_customer, or entry_by_state for many customers.
UPDATE entry SET entry_revision = entry_revision + 1, update_time = $5
WHERE account_id = $1 AND entry_id = ANY (ARRAY(
  SELECT entry_id FROM entry
  WHERE account_id = $1 AND queue = 2 AND state = 1 AND due_at <= $5 AND entry_id IS DISTINCT FROM $4::uuid
    /* invariant: links-raise-only-what-they-change */ AND ($6::bigint IS NULL OR woo_customer_id IS DISTINCT FROM $6::bigint)
    /* /invariant: links-raise-only-what-they-change */
    AND (woo_customer_id = ANY ($2::bigint[]) OR epos_customer_id = ANY ($3::bigint[]))
  ORDER BY due_at, entry_id LIMIT 500))
