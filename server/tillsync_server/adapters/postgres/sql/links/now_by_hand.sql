-- A person made this link once more: it is that person's word now. $1 account, $2 till customer. Under the lane's lock.
-- Index: link primary key.
UPDATE link SET origin = 3, ground = 4 WHERE account_id = $1 AND epos_customer_id = $2
