-- Another shop, or none: what the former one refused is nobody's business any more. $1 account. After discard.sql, under the lane's lock.
-- Index: refused_event primary key.
DELETE FROM refused_event WHERE account_id = $1
