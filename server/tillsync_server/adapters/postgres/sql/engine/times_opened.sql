-- How often in a row an entry has opened the problem of a side that is well now. $1 account, $2 side, $3 entry. No row: it did not.
-- Index: account_side primary key. Takes no lock.
SELECT times_opened FROM account_side WHERE account_id = $1 AND side = $2 AND opened_by = $3 AND problem_reason IS NULL
