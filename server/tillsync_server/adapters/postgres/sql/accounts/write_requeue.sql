-- What is to be queued again, from the beginning where it was under way. $1 account, $2 what, $3 the database's time.
-- Runs after lock_lane.sql in its transaction. Index: requeue primary key.
INSERT INTO requeue AS r (account_id, what, create_time) SELECT $1, what, $3 FROM unnest($2::smallint[]) AS t(what) ORDER BY what
ON CONFLICT (account_id, what) DO UPDATE SET after_id = 0, after_entry_id = NULL, create_time = excluded.create_time
