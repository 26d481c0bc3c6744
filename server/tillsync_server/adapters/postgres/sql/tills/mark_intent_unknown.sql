-- The create was not answered readably. $1 till, $2 normalised email, $3 owner: another's intent is not touched.
-- Index: intent primary key. Locks: that row.
UPDATE intent SET state = 2 WHERE till_id = $1 AND email = $2 AND owner = $3 AND state = 1
