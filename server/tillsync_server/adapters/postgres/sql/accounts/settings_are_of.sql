-- Whether the settings are those of $2, their update_time. $1 account. Runs after fence.sql or lock_lane.sql in its transaction.
-- Index: account primary key.
SELECT EXISTS (SELECT FROM account WHERE account_id = $1 AND update_time = $2)
