-- Unlinked by hand: not linked again by itself. $1 account, $2 shop customer, $3 the database's time. Index: link_mark primary key.
INSERT INTO link_mark (account_id, woo_customer_id, create_time) VALUES ($1, $2, $3) ON CONFLICT (account_id, woo_customer_id) DO NOTHING
