-- The shop customer of a link is there, and registered then. $1 account, $2 till and $3 shop customer, $4 the time. What a shop holds of a
-- customer who was gone is not known. After fence.sql in its transaction. Index: link primary key.
UPDATE link SET woo_registered_at = $4, woo_gone_at = NULL, content_hash = CASE WHEN woo_gone_at IS NULL THEN content_hash END
WHERE account_id = $1 AND epos_customer_id = $2 AND woo_customer_id = $3
