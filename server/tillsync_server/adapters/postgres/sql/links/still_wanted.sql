-- Which of these writes to the shop still rest on what is stored: the link they are for, or the removal that is wanted; none when the
-- account's settings have changed. $1 account, $2 its update_time (NULL: not asked), $3 till and $4 shop customers of writes of values,
-- $5 shop customers of removals. After fence.sql in its transaction. Indexes: account, link and shop_removal primary keys.
SELECT link.woo_customer_id
FROM unnest($3::bigint[], $4::bigint[]) AS t(epos_customer_id, woo_customer_id)
JOIN link ON link.account_id = $1 AND link.epos_customer_id = t.epos_customer_id AND link.woo_customer_id = t.woo_customer_id
WHERE $2::timestamptz IS NULL OR EXISTS (SELECT FROM account WHERE account_id = $1 AND update_time = $2)
UNION ALL
SELECT woo_customer_id FROM shop_removal
WHERE account_id = $1 AND woo_customer_id = ANY ($5::bigint[])
  AND ($2::timestamptz IS NULL OR EXISTS (SELECT FROM account WHERE account_id = $1 AND update_time = $2))
