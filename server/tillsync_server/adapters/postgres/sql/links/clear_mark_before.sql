-- The user of this number was deleted: what a person said of that user goes. $1 account, $2 shop customer, $3 when: a later mark is of
-- another user. Under the lane's lock. Index: link_mark primary key.
DELETE FROM link_mark WHERE account_id = $1 AND woo_customer_id = $2 AND create_time <= $3
