-- A person links this shop customer again. $1 account, $2 shop customer. Under the lane's lock. Index: link_mark primary key.
DELETE FROM link_mark WHERE account_id = $1 AND woo_customer_id = $2 RETURNING true
