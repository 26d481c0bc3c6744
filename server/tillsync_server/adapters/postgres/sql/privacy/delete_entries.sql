-- What happened to a till customer is about the person as a whole: it goes. $1 account, $2 entries. Under the
-- lane's lock. Index: entry_history_by_id.
DELETE FROM entry_history WHERE account_id = $1 AND entry_id = ANY ($2::uuid[]) AND kind = 1
