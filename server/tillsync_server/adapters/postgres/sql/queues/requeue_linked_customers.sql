-- The next linked till customers. $1 account, $2 after this one, $3 most rows. Index: link primary key. Under the lane's lock.
SELECT epos_customer_id AS subject_id FROM link WHERE account_id = $1 AND epos_customer_id > $2 ORDER BY epos_customer_id LIMIT $3
