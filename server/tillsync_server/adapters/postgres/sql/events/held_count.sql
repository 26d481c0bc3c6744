-- Orders that wait for a person. $1 account, $2 counted at most. Takes no lock. Index: entry_by_state.
SELECT count(*) FROM (SELECT FROM entry WHERE account_id = $1 AND queue = 2 AND state = 4 LIMIT $2) AS held
