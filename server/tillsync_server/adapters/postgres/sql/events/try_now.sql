-- The way to the shop has changed: its events are tried again at once. $1 account, $2 the database's time. Under the lane's lock.
-- Index: event_delivery primary key.
UPDATE event_delivery SET failures = 0, next_try_at = $2 WHERE account_id = $1
