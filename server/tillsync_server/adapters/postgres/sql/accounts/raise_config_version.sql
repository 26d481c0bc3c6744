-- What was decided on the former settings is refused from now on (invariant 6). $1 account. Runs after lock_lane.sql in its transaction.
UPDATE lane SET config_version = config_version + 1 WHERE account_id = $1
