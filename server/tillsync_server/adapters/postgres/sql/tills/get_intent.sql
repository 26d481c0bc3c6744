-- The intent of one email, with the database's time. $1 till, $2 normalised email. Index: intent primary key.
SELECT state, account_id, epos_customer_id, settled_at, create_time, now() AS read_at FROM intent WHERE till_id = $1 AND email = $2
