-- Forget tokens that were revoked long ago. $1 days. There are few: no index.
DELETE FROM token WHERE revoke_time < now() - make_interval(days => $1)
