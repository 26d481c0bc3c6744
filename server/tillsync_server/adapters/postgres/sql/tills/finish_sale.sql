-- A sale that was read, unless it was told again meanwhile. $1 till, $2 transaction, $3 revision. Index: till_sale primary key. Locks: it.
DELETE FROM till_sale WHERE till_id = $1 AND transaction_id = $2 AND revision = $3 RETURNING 1
