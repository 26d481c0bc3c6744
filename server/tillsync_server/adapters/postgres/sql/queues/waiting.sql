-- How many entries of an account wait (PENDING), counted to $2 at most; no row for an unknown account. $1 account.
-- Index: entry_due_by_queue. Takes no lock.
SELECT (SELECT count(*) FROM (SELECT FROM entry e WHERE e.account_id = lane.account_id AND e.state = 1 LIMIT $2) AS counted) AS entries
FROM lane WHERE lane.account_id = $1
