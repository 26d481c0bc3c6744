-- How many of the person's values are still to be removed from the shop, or are being removed. $1 account, $2 till and $3 shop customers.
-- Takes no lock. Indexes: shop_removal primary key, shop_removal_by_epos, entry_live.
SELECT count(*) FROM (
  SELECT epos_customer_id FROM shop_removal
  WHERE account_id = $1 AND (epos_customer_id = ANY ($2::bigint[]) OR woo_customer_id = ANY ($3::bigint[]))
  UNION SELECT subject_id FROM entry WHERE account_id = $1 AND kind = 1 AND subject_id = ANY ($2::bigint[])) AS waiting
