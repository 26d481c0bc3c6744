-- The till customer of an intent is known. $1 till, $2 normalised email, $3 owner: another's intent is not touched, $4 customer.
-- Index: intent primary key. Locks: that row.
UPDATE intent SET state = 3, epos_customer_id = $4 WHERE till_id = $1 AND email = $2 AND owner = $3 AND state IN (1, 2)
