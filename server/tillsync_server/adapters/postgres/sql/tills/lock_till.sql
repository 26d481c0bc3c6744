-- Wait for a till's row, as one statement of a transaction. $1 till. Returns whether the till has one. Index: till primary key.
SELECT true FROM till WHERE till_id = $1 FOR NO KEY UPDATE
