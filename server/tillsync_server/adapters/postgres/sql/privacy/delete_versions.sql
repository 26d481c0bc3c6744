-- The versions last written for the person's shop customers, where nothing is to be written any more and the next version is sure to be
-- higher. $1 account, $2 shop customers, $3 the database's time in microseconds. Under the lane's lock. Index: shop_version primary key.
DELETE FROM shop_version v WHERE v.account_id = $1 AND v.subject_kind = 1 AND v.subject_id = ANY ($2::bigint[]) AND v.last_version < $3
  AND NOT EXISTS (SELECT FROM link l WHERE l.account_id = $1 AND l.woo_customer_id = v.subject_id)
  AND NOT EXISTS (SELECT FROM shop_removal r WHERE r.account_id = $1 AND r.woo_customer_id = v.subject_id)
