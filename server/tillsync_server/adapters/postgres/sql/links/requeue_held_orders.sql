-- There are more held orders than one transaction may release: all of the account are looked at again, in chunks, by requeue's worker.
-- $1 account, $2 the database's time. Under the lane's lock. Index: requeue primary key.
INSERT INTO requeue (account_id, what, create_time) VALUES ($1, 3, $2)
ON CONFLICT (account_id, what) DO UPDATE SET after_id = 0, after_entry_id = NULL, create_time = excluded.create_time
