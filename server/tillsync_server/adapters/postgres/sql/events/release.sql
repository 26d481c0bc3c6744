-- Give back the right to send an account's events, if it is still ours. $1 account, $2 token, $3 failures in a row, $4 seconds until the
-- next try. Index: event_delivery primary key.
UPDATE event_delivery d SET lease_expires_at = clock.at, failures = $3, next_try_at = clock.at + make_interval(secs => $4)
FROM (SELECT now() AS at) AS clock
WHERE d.account_id = $1 AND d.lease_token = $2
