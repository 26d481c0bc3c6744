-- Was this shop customer unlinked by hand? $1 account, $2 shop customer. Index: link_mark primary key.
SELECT EXISTS (SELECT FROM link_mark WHERE account_id = $1 AND woo_customer_id = $2)
