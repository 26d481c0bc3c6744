-- The next till customers with a pending removal. $1 account, $2 after this one, $3 most rows. Index: shop_removal_by_epos.
-- Under the lane's lock.
SELECT DISTINCT epos_customer_id AS subject_id FROM shop_removal
WHERE account_id = $1 AND epos_customer_id > $2 ORDER BY epos_customer_id LIMIT $3
