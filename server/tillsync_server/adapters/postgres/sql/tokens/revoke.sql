-- Revoke a token; one that is revoked already keeps its time. $1 token, $2 its account, NULL for the roles without one.
-- Index: token primary key.
UPDATE token SET revoke_time = CASE WHEN revoke_time IS NULL THEN clock.at ELSE revoke_time END
FROM (SELECT now() AS at) AS clock
WHERE token_id = $1 AND account_id IS NOT DISTINCT FROM $2::text
RETURNING token_id, role, account_id, name, create_time, last_used_time, revoke_time
