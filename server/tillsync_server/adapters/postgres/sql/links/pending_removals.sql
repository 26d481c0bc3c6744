-- Shop customers whose values are to be removed. $1 account, $2 the till customers they were linked to. Index: shop_removal_by_epos.
SELECT epos_customer_id, woo_customer_id FROM shop_removal
WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[]) ORDER BY epos_customer_id, woo_customer_id
