-- Whether the database answers, and as a primary: a standby accepts no work. Parameters: none; no tables, no locks.
SELECT NOT pg_is_in_recovery()
