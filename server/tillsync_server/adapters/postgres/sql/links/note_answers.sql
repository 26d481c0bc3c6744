-- Orders that were answered with these till customers, the newest ones: their answers get a note, unless they have it. $1 account, $2 till
-- customers, $3 the note, $4 the database's time, $5 limit, $6 the shop customer whose orders are meant (NULL: everybody's). Under the
-- lane's lock. Index: order_match_by_epos_customer.
UPDATE order_match m SET notes = CASE WHEN m.notes = '' THEN $3::text ELSE m.notes || E'\n' || $3::text END, update_time = $4
FROM (SELECT order_id FROM order_match WHERE account_id = $1 AND epos_customer_id = ANY ($2::bigint[]) AND state = 2
        AND ($6::bigint IS NULL OR woo_customer_id = $6::bigint)
      ORDER BY order_id DESC LIMIT $5) AS answered
WHERE m.account_id = $1 AND m.order_id = answered.order_id AND strpos(m.notes, $3::text) = 0
RETURNING m.order_id
