-- What was decided on the former settings is refused from now on (invariant 6). $1 account. Runs after lock_lane.sql in its transaction.
UPDATE lane SET config_version = config_version
  /* invariant: setting-changes-raise-the-version */ + 1 /* /invariant: setting-changes-raise-the-version */
WHERE account_id = $1
