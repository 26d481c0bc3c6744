-- Is this entry still as it was claimed? $1 account, $2 entry, $3 revision. Under the lane's lock. Index: entry primary key.
SELECT EXISTS (SELECT FROM entry WHERE account_id = $1 AND entry_id = $2 AND entry_revision = $3 AND state = 1)
