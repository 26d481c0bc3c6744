-- Whether a till customer has a link. $1 account, $2 till customer. Index: link primary key. Takes no lock.
SELECT EXISTS (SELECT FROM link WHERE account_id = $1 AND epos_customer_id = $2)
