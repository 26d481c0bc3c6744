-- Lock one lane before anything else of its account. $1 account. Brings the database's time. The lane is found by the newest token that the
-- snapshot sees, or a higher one: a lease that was committed meanwhile has raised it. Index: lane_pkey.
SELECT account_id, next_run_at, next_live_at, lease_expires_at, till_probe_at, shop_probe_at, config_version, now() AS at
FROM lane WHERE account_id = $1 AND lease_token >= (SELECT newest_token($1)) FOR NO KEY UPDATE
